// A small order desk: one event starts a run that charges, naps, packs in
// parallel and waits for a courier. Kill Ingot at any moment and start it again:
// the run goes on, and no finished step runs twice.
import http from "node:http";
import { Inngest, NonRetriableError } from "inngest";
import { serve } from "inngest/node";

const inngest = new Inngest({ id: "order-desk", isDev: true });

const processOrder = inngest.createFunction(
  { id: "process-order", triggers: [{ event: "shop/order.placed" }], retries: 3 },
  async ({ event, step }) => {
    const { order, items } = event.data as { order: string; items: string[] };
    if (!items?.length) throw new NonRetriableError(`order ${order} is empty`);

    const charge = await step.run("charge", () => {
      console.log(`${order}: charging`);
      if (Math.random() < 0.3) throw new Error("the bank did not answer"); // Ingot tries again
      return { id: `charge-${order}`, amount: 10 * items.length };
    });

    await step.sleep("cool-off", "2s");

    const packed = await Promise.all(
      items.map((item) =>
        step.run(`pack-${item}`, () => {
          console.log(`${order}: packing ${item}`);
          return `${item} in a box`;
        }),
      ),
    );

    const pickup = await step.waitForEvent("courier", {
      event: "shop/order.picked-up",
      timeout: "30s",
      if: "async.data.order == event.data.order",
    });

    console.log(`${order}: ${pickup ? "picked up" : "nobody came, returned to the shelf"}`);
    return { charge, packed, courier: pickup?.data.courier ?? null };
  },
);

const port = Number(process.env.PORT ?? 3000);
http.createServer(serve({ client: inngest, functions: [processOrder] })).listen(port, () => {
  console.log(`app at http://localhost:${port}/api/inngest

place an order:
  curl localhost:8288/e/dev -d '{"name":"shop/order.placed","data":{"order":"A1","items":["tea","cup"]}}'
and within 30 s send the courier:
  curl localhost:8288/e/dev -d '{"name":"shop/order.picked-up","data":{"order":"A1","courier":"Ada"}}'`);
});
