package trace

import (
	"fmt"
	"sort"
	"strings"

	"github.com/oklog/ulid/v2"
)

var ulid0 ulid.ULID

// labels numbers ids by first sight, as the recordings do.
type labels map[string]int

func (l labels) of(id string) string {
	if _, ok := l[id]; !ok {
		l[id] = len(l) + 1
	}
	return fmt.Sprintf("g%d", l[id])
}

// settle puts items that the reference writes at the same time in one order: the run's
// start before the first call, and what one answer begins sorted by name.
func settle(lines []string) string {
	for i := 0; i+1 < len(lines); i++ {
		if strings.HasPrefix(lines[i], "StepStarted a0 g1 ") && strings.HasPrefix(lines[i+1], "FunctionStarted") {
			lines[i], lines[i+1] = lines[i+1], lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

func historyLines(items []HistoryItem) string {
	groups := labels{}
	var out []string
	for i := range items {
		it := &items[i]
		f := map[string]string{"name": it.StepName, "type": it.StepType}
		if it.URL != "" {
			f["url"] = "yes"
		}
		if it.SleepUntil != 0 {
			f["sleep"] = "yes"
		}
		if w := it.WaitForEvent; w != nil {
			f["wait"] = w.EventName
		}
		if w := it.WaitResult; w != nil {
			f["waited"] = fmt.Sprint(w.Event != ulid0, w.TimedOut)
		}
		if v := it.Invoke; v != nil {
			f["invoke"] = fmt.Sprint(v.FunctionID, " ", v.CorrelationID[27:])
		}
		if v := it.InvokeResult; v != nil {
			f["invoked"] = fmt.Sprint(v.Event != ulid0, v.Run != ulid0, v.TimedOut)
		}
		if c := it.Cancel; c != nil {
			f["cancel"] = fmt.Sprint(c.Event != ulid0, c.Expression)
		}
		if r := it.Result; r != nil {
			f["result"] = fmt.Sprint(r.SDKLanguage, " ", r.SDKVersion, " ", r.Size)
		}
		out = append(out, itemLine(it.Type, it.Attempt, groups.of(it.GroupID), f))
	}
	return settle(out)
}

func recordedHistory(items []recordedItem) string {
	groups := labels{}
	var out []string
	for i := range items {
		it := &items[i]
		f := map[string]string{}
		for k, v := range map[string]*string{"name": it.StepName, "type": it.StepType} {
			if v != nil {
				f[k] = *v
			}
		}
		if it.URL != nil {
			f["url"] = "yes"
		}
		if it.Sleep != nil {
			f["sleep"] = "yes"
		}
		if w := it.WaitForEvent; w != nil {
			f["wait"] = fmt.Sprint(w["eventName"])
		}
		if w := it.WaitResult; w != nil {
			f["waited"] = fmt.Sprint(w["eventID"] != nil, w["timeout"])
		}
		if v := it.InvokeFunction; v != nil {
			_, step, _ := strings.Cut(fmt.Sprint(v["correlationID"]), ".")
			f["invoke"] = fmt.Sprint(v["functionID"], " ", step)
		}
		if v := it.InvokeFunctionResult; v != nil {
			f["invoked"] = fmt.Sprint(v["eventID"] != nil, v["runID"] != nil, v["timeout"])
		}
		if c := it.Cancel; c != nil {
			text := ""
			if c["expression"] != nil {
				text = fmt.Sprint(c["expression"])
			}
			f["cancel"] = fmt.Sprint(c["eventID"] != nil, text)
		}
		if r := it.Result; r != nil {
			f["result"] = fmt.Sprint(r["sdkLanguage"], " ", r["sdkVersion"], " ", r["sizeBytes"])
		}
		out = append(out, itemLine(it.Type, it.Attempt, groups.of(it.GroupID), f))
	}
	return settle(out)
}

func itemLine(kind string, attempt int, group string, fields map[string]string) string {
	var keys []string
	for k, v := range fields {
		if v != "" {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	line := fmt.Sprintf("%s a%d %s", kind, attempt, group)
	for _, k := range keys {
		line += " " + k + "=" + fields[k]
	}
	return line
}
