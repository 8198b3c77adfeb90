package journal

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
)

var (
	id = engine.TrialID{Matrix: "m", Case: "a", Agent: "x", N: 1}
	at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
)

// draw makes any event, with any text in it.
var draw = rapid.Custom(func(t *rapid.T) Event {
	text := func(name string) string { return rapid.String().Draw(t, name) }
	n := func(name string) int { return rapid.IntRange(0, 1<<40).Draw(t, name) }
	step, trial := engine.StepID(text("step")), id
	trial.N = n("trial") + 1
	if rapid.Bool().Draw(t, "of an image") {
		trial = engine.TrialID{}
	}
	outcome := engine.Outcome{Status: rapid.SampledFrom(engine.Statuses).Draw(t, "status"), Reason: engine.Reason(text("reason")), Detail: text("detail"), Cause: step}
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		dirty := rapid.Bool().Draw(t, "dirty")
		return RunStarted{text("run"), engine.Version{Bench: text("bench")}, engine.Origin{Host: text("host"), Dirty: &dirty}, text("suite"), n("trials"), n("pid")}
	case 1:
		return StepStarted{step, trial, n("try")}
	case 2:
		e := StepEnded{Step: step, Trial: trial, Try: n("try"), Took: time.Duration(n("took")), Retry: rapid.Bool().Draw(t, "retry")}
		if rapid.Bool().Draw(t, "bad") {
			e.Outcome = outcome
		}
		if rapid.Bool().Draw(t, "paid") {
			cost := rapid.Float64Range(0, 1e9).Draw(t, "cost")
			e.Cost = &cost
		}
		if rapid.Bool().Draw(t, "asked") {
			e.Tokens = new(int64(n("tokens")))
		}
		return e
	case 3:
		trial := id
		return TrialEnded{trial, n("attempt"), outcome, n("tries")}
	case 4:
		return GateEnded{text("gate"), engine.GateInconclusive, text("message")}
	case 5:
		return ReportWritten{text("format"), text("path"), int64(n("bytes"))}
	}
	return RunEnded{engine.Exit{Code: n("code"), Reason: text("reason")}}
})

func linesOf(t testing.TB, records []Record) []byte {
	var out []byte
	for _, r := range records {
		line, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, line...)
	}
	return out
}

// What was written is read, whatever texts are in it; and where a crash has cut
// the file, all but the cut line is.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var want []Record
		for i, e := range rapid.SliceOfN(draw, 1, 5).Draw(rt, "events") {
			want = append(want, Record{i + 1, at.Add(time.Duration(i)), e})
		}
		text := linesOf(t, want)
		if lines := bytes.Count(text, []byte("\n")); lines != len(want) {
			rt.Fatalf("%d events in %d lines", len(want), lines)
		}
		log, err := Read(bytes.NewReader(text))
		if diff := cmp.Diff(&Log{Records: want}, log); err != nil || diff != "" {
			rt.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		cut := rapid.IntRange(0, len(text)-1).Draw(rt, "cut")
		whole := bytes.Count(text[:cut], []byte("\n"))
		torn := text[bytes.LastIndexByte(text[:cut], '\n')+1 : cut]
		log, err = Read(bytes.NewReader(text[:cut]))
		if err != nil || len(log.Records) != whole || !bytes.Equal(linesOf(t, log.Records), text[:cut-len(torn)]) || log.Torn != string(torn) || log.Garbled != nil {
			rt.Fatalf("cut at %d: got %v, %v", cut, log, err)
		}
	})
}

// A garbled line costs that line only, and the gap is seen.
func TestGarbled(t *testing.T) {
	text := linesOf(t, []Record{{1, at, RunStarted{Run: "r"}}, {2, at, StepStarted{Step: "run:a", Try: 1}}, {3, at, GateEnded{Gate: "g"}}})
	for _, tt := range []struct{ line, want string }{
		{`{"seq":2,`, "unexpected end of JSON input"},
		{`{"seq":2,"at":"2026-01-02T03:04:05Z","event":"step_sta`, "in string literal"},
		{`{"seq":2,"at":"2026-01-02T03:04:05Z","event":"teapot"}`, `there is no event "teapot"`},
		{`{"seq":2,"at":"2026-01-02T03:04:05Z","event":"step_start","try":"one"}`, "cannot unmarshal"},
		{`{"seq":2,"at":"2026-01-02T03:04:05Z","event":"trial_end","outcome":{"status":"passed"}}`, "with its id and an outcome"},
		{"\x00\x00\x00", "invalid character"},
		{"null", `there is no event ""`},
		{"", "unexpected end of JSON input"},
	} {
		lines := strings.Split(string(text), "\n")
		lines[1] = tt.line
		log, err := Read(strings.NewReader(strings.Join(lines, "\n")))
		if err != nil || len(log.Records) != 2 || len(log.Garbled) != 1 || log.Torn != "" {
			t.Fatalf("%q: got %v, %v", tt.line, log, err)
		}
		if got := log.Garbled[0].Error(); !strings.HasPrefix(got, "line 2: ") || !strings.Contains(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.line, got, tt.want)
		}
		if errs := Check(log.Records); len(errs) != 1 || errs[0].Error() != "event 3 comes where 2 should" {
			t.Errorf("%q: got %v", tt.line, errs)
		}
	}
}

func FuzzRead(f *testing.F) {
	text := linesOf(f, []Record{{1, at, RunStarted{Run: "r", Trials: 1}}, {2, at, TrialEnded{Trial: id, Outcome: engine.Outcome{Status: engine.StatusPassed}}}, {3, at, RunEnded{}}})
	f.Add(text)
	f.Add(text[:len(text)-5])
	f.Add([]byte("\n{}\nnull\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		log, err := Read(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); len(log.Records)+len(log.Garbled) != lines || !bytes.HasSuffix(text, []byte(log.Torn)) {
			t.Fatalf("%d lines became %v", lines, log)
		}
		Check(log.Records)
		Unfinished(log.Records)
		for _, r := range log.Records {
			line, err := encode(r)
			if err != nil {
				continue // a year, or an outcome, that can be read and never was written
			}
			if again, err := decode(line); err != nil || !cmp.Equal(r, again) {
				t.Fatalf("%s\nbecame %v, %v", line, again, err)
			}
		}
	})
}

// run is a whole run: one trial that is tried twice, with its image.
func run() []Event {
	host := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonHost}
	return []Event{
		RunStarted{Run: "r", Suite: "s", Trials: 2},
		StepStarted{Step: "image:i", Try: 1},
		StepEnded{Step: "image:i", Try: 1},
		StepStarted{Step: "run:a", Trial: id, Try: 1},
		StepEnded{Step: "run:a", Trial: id, Try: 1, Outcome: host, Retry: true},
		StepStarted{Step: "run:a", Trial: id, Try: 2},
		StepEnded{Step: "run:a", Trial: id, Try: 2},
		TrialEnded{Trial: id, Attempt: 2, Outcome: engine.Outcome{Status: engine.StatusPassed}, Tries: 2},
		TrialEnded{Trial: engine.TrialID{Matrix: "m", Case: "b", Agent: "x", N: 1}, Outcome: engine.Outcome{Status: engine.StatusSkipped}},
		GateEnded{Gate: "g", Judgement: engine.GatePassed},
		ReportWritten{Format: "json", Path: "out/results.json"},
		RunEnded{},
	}
}

func numbered(events []Event) []Record {
	var out []Record
	for i, e := range events {
		out = append(out, Record{i + 1, at, e})
	}
	return out
}

func TestCheck(t *testing.T) {
	without := func(i int) []Event { return append(run()[:i:i], run()[i+1:]...) }
	twice := func(i int) []Event { return append(run()[:i+1:i+1], run()[i:]...) }
	with := func(i int, e Event) []Event {
		events := run()
		events[i] = e
		return events
	}
	for _, tt := range []struct {
		name   string
		events []Event
		want   []string
	}{
		{"no start", without(0), []string{"event 1 step_start: a run starts once, and first", "event 11 run_end: 2 of 0 trials have ended"}},
		{"two starts", twice(0), []string{"event 2 run_start: a run starts once, and first"}},
		{"an end without a start", without(1), []string{"event 2 step_end: image:i is not running"}},
		{"two starts of a step", twice(1), []string{"event 3 step_start: image:i is running"}},
		{"two ends of a step", twice(2), []string{"event 4 step_end: image:i is not running"}},
		{"never ended", without(2), []string{"event 11 run_end: image:i is still running"}},
		{"another try ended", with(6, StepEnded{Step: "run:a", Trial: id, Try: 3}), []string{"event 7 step_end: run:a is in try 2 of m/a@x#1, not 3 of m/a@x#1"}},
		{"tried again for nothing", with(4, StepEnded{Step: "run:a", Trial: id, Try: 1}), []string{"event 6 step_start: run:a had ended, not to be tried again"}},
		{"a try left out", with(5, StepStarted{Step: "run:a", Trial: id, Try: 3}), []string{
			"event 6 step_start: run:a begins with try 3 after 1", "event 7 step_end: run:a is in try 3 of m/a@x#1, not 2 of m/a@x#1"}},
		{"a trial too early", without(6), []string{"event 7 trial_end: run:a of m/a@x#1 is still running", "event 11 run_end: run:a is still running"}},
		{"a trial twice", twice(7), []string{"event 9 trial_end: m/a@x#1 had ended"}},
		{"a trial never", without(8), []string{"event 11 run_end: 1 of 2 trials have ended"}},
		{"a gate twice", twice(9), []string{"event 11 gate_end: g had ended"}},
		{"after the end", twice(11), []string{"event 13 run_end: the run had ended"}},
	} {
		if diff := cmp.Diff(tt.want, texts(Check(numbered(tt.events)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	// A bench that is killed at any point has done nothing wrong.
	for n := range len(run()) + 1 {
		if errs := Check(numbered(run()[:n])); errs != nil {
			t.Errorf("after %d events: %v", n, errs)
		}
	}
}

func texts(errs []error) (out []string) {
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}

func TestUnfinished(t *testing.T) {
	for n, want := range []string{"", "", "image:i 1", "", "run:a 1", "", "run:a 2", "", "", "", "", "", ""} {
		got := ""
		for _, s := range Unfinished(numbered(run()[:n])) {
			got += fmt.Sprint(s.Step, " ", s.Try)
		}
		if got != want {
			t.Errorf("after %d events: got %q, want %q", n, got, want)
		}
	}
}
