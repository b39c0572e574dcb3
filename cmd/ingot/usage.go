package main

const startUsage = `ingot start --signing-key <hex> --event-key <key> [--event-key <key>]...`

// startDescription teaches by examples what the flags alone do not tell.
const startDescription = `Everything that was acknowledged is on disk and goes on after a restart or a
crash. There is nothing else to install.

A first server. The signing key is any even number of hexadecimal digits; apps
and this server share it. Event keys are any texts; senders of events show one.

   ingot start --signing-key "$(openssl rand -hex 32)" --event-key "$(openssl rand -hex 16)"

An app that uses it needs in its environment:

   INNGEST_BASE_URL=http://ingot.internal:8288
   INNGEST_SIGNING_KEY=<the signing key>
   INNGEST_EVENT_KEY=<an event key>

It syncs by itself when it is deployed (a PUT to its serve URL), or is named here
and synced at the start:

   ingot start -u https://app.example.com/api/inngest ...

The same by environment, as in containers, and by file:

   INNGEST_SIGNING_KEY=... INNGEST_EVENT_KEY=key1,key2 ingot start
   ingot start --config /etc/inngest/inngest.toml

See what is in effect, and where each value came from:

   ingot start --print-config

A new signing key, without a gap. Both sides accept two keys meanwhile, and each
signs with its first:

   1. restart the apps with INNGEST_SIGNING_KEY_FALLBACK=NEW
   2. ingot start --signing-key NEW --signing-key-fallback OLD ...
   3. restart the apps with INNGEST_SIGNING_KEY=NEW and no fallback
   4. ingot start --signing-key NEW ...

Event keys: add the new one, change the senders, remove the old one.

Who may do what: the REST and GraphQL APIs need "Authorization: Bearer <signing
key>"; people can use HTTP Basic with any user and the signing key as password.
Only /health, /ready, /e/{event key} and /invoke answer without. /metrics does for
scrapers on the same host.

Watch it: /health says that the process lives, /ready that it should get
requests, /metrics has figures for Prometheus.`
