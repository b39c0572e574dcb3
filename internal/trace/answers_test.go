package trace

import "ingot/engine"

// Answers that were text, empty, nothing, or not to be understood.

func isText(l *engine.Lifecycle) { l.Flags |= engine.FlagText }

func textResult() *tape {
	p := newTape(4).start().call(1, 0, "").completed(`"plain text, not json"`, 20)
	isText(&p.out[len(p.out)-1])
	return p
}

func noContent() *tape {
	return newTape(1).start().call(1, 0, "").answer(204, 0, 0, isOutput).end(engine.RunCompleted, "")
}

// failedTwice fails both attempts of a call, with what their answers brought.
func failedTwice(status, size int, name, brought, atEnd string, more ...func(*engine.Lifecycle)) *tape {
	p := newTape(2)
	retry := append([]func(*engine.Lifecycle){failedWith(name, brought), func(l *engine.Lifecycle) { p.retryIn(second)(l) }}, more...)
	p.start().call(1, 0, "").answer(status, size, 0, retry...).wait(second)
	p.call(1, 1, "").answer(status, size, 0, failedWith(name, ""), isOutput).end(engine.RunFailed, atEnd)
	for _, f := range more {
		f(&p.out[len(p.out)-1])
	}
	return p
}

func failedWithText() *tape {
	return failedTwice(500, 13, "invalid status code: 500", `"Internal blah"`, `"Internal blah"`, isText)
}

func notUnderstood() *tape {
	const output = `"{\"error\":{\"error\":\"error reading generator opcode response: expected JSON object or array\",` +
		`\"name\":\"Error\",\"message\":\"error reading generator opcode response: expected JSON object or array\"}}"`
	return failedTwice(206, 3, "error reading generator opcode response: expected JSON object or array", output, output)
}

// retryAfterResult is a result with the header that asks for another attempt.
func retryAfterResult() *tape { return failedTwice(200, 8, "retry at", `{"ok":1}`, `{"ok":1}`) }

func oldStepOp() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 98, 1).op(engine.StepCompleted, engine.OpStep, "a", payload(`{"data":{"v":1}}`))
	return p.call(2, 0, "a").completed(`{"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8":{"data":{"v":1}}}`, 61)
}

// nothingTwice has two answers that brought nothing.
func nothingTwice() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 23, 0)
	p.call(2, 0, "").answer(206, 23, 0)
	return p.call(3, 0, "").completed("{}", 2)
}

func sendsEvent() *tape {
	p := newTape(4).start().call(1, 0, "").answer(206, 185, 1)
	p.ran("send", `{"ids":["<ULID:event2>"]}`, opts(`{"type":"step.sendEvent"}`))
	return p.call(2, 0, "send").completed("{}", 92)
}

// atOneMoment has two planned steps after each other, all of which takes no time.
func atOneMoment() *tape {
	p := newTape(4).start()
	for i, name := range []string{"a", "b"} {
		cause := ""
		if i > 0 {
			cause = "a"
		}
		p.call(uint32(2*i+1), 0, cause).answer(206, 10*(i+1), 1).op(engine.StepPlanned, engine.OpStepPlanned, name)
		p.callPlanned(uint32(2*i+2), 0, name).answer(206, 10, 1).ran(name, "1")
	}
	p.call(5, 0, "b").completed("1", 1)
	for i := range p.out {
		l := &p.out[i]
		l.At = epoch
		if l.Kind == engine.CallEnded {
			l.Started, l.Duration = epoch, 1000
		}
	}
	return p
}
