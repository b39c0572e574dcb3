package engine_test

import (
	"strings"
	"testing"
	"time"

	"ingot/engine"
)

func TestScheduleFiresOncePerTime(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), `f "triggers":[{"cron":"* * * * *"},{"cron":"TZ=Europe/Paris 15 23 * * *"}]`, `watch "triggers":[{"event":"inngest/scheduled.timer"}]`)
	d.work()
	d.pass(39 * time.Second) // 22:13:59
	d.wantCalls("f", 0)
	d.pass(time.Second)
	calls := d.wantCalls("f", 1)
	got := string(calls[0].Events[0])
	for _, want := range []string{`"name":"inngest/scheduled.timer"`, `"id":"2023-11-14T22:14:00Z"`, `"cron":"* * * * *"`, `"scheduledAt":"2023-11-14T22:14:00Z"`, `"fireAt":"2023-11-14T22:14:00Z"`} {
		if !strings.Contains(got, want) {
			t.Errorf("event %s lacks %s", got, want)
		}
	}
	d.wantCalls("watch", 1)
	d.open() // a restart in the same minute fires nothing again
	d.work()
	d.wantCalls("f", 1)
	d.pass(time.Minute) // 22:15 UTC: both schedules
	d.wantCalls("f", 3)
	// Down for ten minutes: the latest missed time is made up for.
	d.now += (10 * time.Minute).Milliseconds()
	d.open()
	d.work()
	calls = d.wantCalls("f", 4)
	if !strings.Contains(string(calls[3].Events[0]), `"scheduledAt":"2023-11-14T22:25:00Z"`) {
		t.Errorf("made up for %s", calls[3].Events[0])
	}
	d.wantClean()
}

func TestScheduleSurvivesConfigurationChanges(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), `f "triggers":[{"cron":"*/2 * * * *","jitter":"30s"}]`)
	d.work()
	d.define(`g "triggers":[{"cron":"0 0 30 2 *"}]`) // the schedule of f goes on; that of g never fires
	d.work()
	d.pass(41 * time.Second) // 22:14:01 at the earliest, with jitter
	d.pass(30 * time.Second)
	calls := d.wantCalls("f", 1)
	if strings.Contains(string(calls[0].Events[0]), `"fireAt":"2023-11-14T22:14:00Z"`) {
		t.Errorf("no jitter in %s", calls[0].Events[0])
	}
	if err := d.cat.Update(func(tx *engine.Tx) error {
		tx.ArchiveFunction(calls[0].Fn.ID, time.UnixMilli(d.now))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	d.work()
	d.pass(time.Hour)
	d.wantCalls("f", 1)
	d.wantCalls("g", 0)
}

func TestMissedWeekOfADenseSchedule(t *testing.T) {
	t.Parallel()
	d := newDesk(t, script(), `f "triggers":[{"cron":"* * * * *"}]`, `rare "triggers":[{"cron":"0 0 1 * *"}]`)
	d.work()
	d.now += (40 * 24 * time.Hour).Milliseconds()
	d.open()
	d.work()
	d.wantCalls("f", 1)
	d.wantCalls("rare", 1)
}
