package reporters_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
)

func TestTable(t *testing.T) {
	results := reporters.Results(reportertest.Example())
	smoke := reporters.Matrices(results)[0].Results
	for _, c := range []struct {
		name    string
		results []engine.Result
		rows    []string
		want    string
	}{
		{"default without models", smoke, nil, "[agent] [noop]=2 [oracle]=2"},
		{"default", results, nil, "[agent model] [noop -]=2 [oracle -]=2 [react gpt]=5 [react qwen]=5"},
		{"model alone stays", smoke, []string{"model"}, "[model] [-]=4"},
		{"order of columns", smoke, []string{"category", "agent"}, "[category agent] [- noop]=1 [- oracle]=1 [debugging noop]=1 [debugging oracle]=1"},
		{"every tag counts", smoke, []string{"tag"}, "[tag] [-]=2 [easy]=2 [pytorch]=2"},
		{"case", smoke, []string{"case"}, "[case] [debugging/nan_loss]=2 [hello_world]=2"},
		{"nothing", nil, nil, "[agent]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := reporters.NewTable(c.results, c.rows)
			if err != nil {
				t.Fatal(err)
			}
			words := []string{fmt.Sprint(table.Columns)}
			for _, r := range table.Rows {
				words = append(words, fmt.Sprintf("%v=%d", r.Keys, r.Summary.Trials))
			}
			if got := strings.Join(words, " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestGrid(t *testing.T) {
	wide := reporters.Matrices(reporters.Results(reportertest.Example()))[1]
	results := wide.Results[1:] // the first one is the only pass
	results = append(results, engine.Result{Trial: &engine.Trial{ID: engine.TrialID{Case: "a", Agent: "noop"}}, Outcome: engine.Outcome{Status: engine.StatusPassed}})
	g := reporters.NewGrid(results)
	if diff := cmp.Diff([]string{"a", "debugging/nan_loss", "model_training/parse_logs"}, g.Cases); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"noop", "react+gpt", "react+qwen"}, g.Agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	if g.Cells[0][1] != nil || g.Cells[0][0].Passed != 1 || g.Cells[2][1].Errored != 3 {
		t.Errorf("cells are not where they belong: %+v", g.Cells)
	}
}

func TestSelect(t *testing.T) {
	run := reportertest.Example()
	matrices := run.Plan.Suite.Matrices
	if reporters.Select(run, nil) != run {
		t.Error("no matrices do not mean all")
	}
	got := reporters.Select(run, matrices[:1])
	if len(got.Results) != 4 || len(got.Plan.Trials) != 4 || len(got.Plan.Steps) != 8 {
		t.Errorf("smoke has %d results, %d trials and %d steps, want 4, 4 and 8", len(got.Results), len(got.Plan.Trials), len(got.Plan.Steps))
	}
	for _, r := range got.Results {
		if r.Trial.ID.Matrix != "smoke" {
			t.Errorf("%v is of another matrix", r.Trial.ID)
		}
	}
	if diff := cmp.Diff(reportertest.Example(), run); diff != "" {
		t.Errorf("Select has changed the run (-before +after):\n%s", diff)
	}
	if n := len(reporters.Select(&engine.Run{}, matrices).Results); n != 0 {
		t.Errorf("nothing, narrowed, has %d results", n)
	}
}

func TestProblems(t *testing.T) {
	single, blocked := reporters.Problems(reporters.Results(reportertest.Example()))
	var got []string
	for _, p := range single {
		got = append(got, p.Sign()+" "+p.ID+" "+p.Outcome)
	}
	for _, b := range blocked {
		got = append(got, b.Sentence())
	}
	want := []string{
		"x smoke/debugging/nan_loss@noop#1 failed(check)",
		"x wide/debugging/nan_loss@react+gpt#2 failed(limit_wall_clock)",
		"x wide/debugging/nan_loss@react+qwen#1 failed(agent_exit)",
		"! wide/debugging/nan_loss@react+qwen#2 errored(sandbox)",
		"! wide/model_training/parse_logs@react+qwen#1 errored(check)",
		"3 trials could not start: image:python failed: pip install failed with exit status 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestBlockedSentence(t *testing.T) {
	for _, c := range []struct {
		b    reporters.Blocked
		want string
	}{
		{reporters.Blocked{Cause: "image:a", Status: engine.StatusErrored, Trials: []string{"m/c@a#1"}}, "m/c@a#1 could not start: image:a failed"},
		{reporters.Blocked{Cause: "image:a", Status: engine.StatusSkipped, Trials: []string{"x", "y"}, Detail: "no"}, "2 trials were skipped: image:a failed: no"},
		{reporters.Blocked{Cause: "run:a", Status: engine.StatusErrored, Trials: []string{"x", "y"}, Started: true}, "2 trials got no verdict: run:a failed"},
		{reporters.Blocked{Reason: engine.ReasonBudget, Status: engine.StatusSkipped, Trials: []string{"x", "y"}, Detail: "the budget did not cover them (budget)"}, "2 trials were skipped: the budget did not cover them (budget)"},
		{reporters.Blocked{Reason: engine.ReasonNeeds, Cause: "gate.healthy", Status: engine.StatusSkipped, Trials: []string{"x"}, Detail: "gate.healthy did not pass"}, "x was skipped: gate.healthy did not pass"},
		{reporters.Blocked{Reason: engine.ReasonNeeds, Cause: "gate.healthy", Status: engine.StatusSkipped, Trials: []string{"x", "y"}}, "2 trials were skipped: what the matrix needs did not come out as needed (gate.healthy)"},
		{reporters.Blocked{Reason: engine.ReasonDeadline, Status: engine.StatusCancelled, Trials: []string{"x", "y"}, Started: true}, "2 trials were cancelled: the time of the budget ran out"},
	} {
		if got := c.b.Sentence(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// What a signal has stopped is only counted, and two budgets are two causes.
func TestSkipsAreGrouped(t *testing.T) {
	result := func(status engine.Status, reason engine.Reason, detail string) engine.Result {
		return engine.Result{Trial: &engine.Trial{}, Outcome: engine.Outcome{Status: status, Reason: reason, Detail: detail}}
	}
	skipped, cancelled := engine.StatusSkipped, engine.StatusCancelled
	_, blocked := reporters.Problems([]engine.Result{
		result(skipped, engine.ReasonSignal, "stopped"), result(cancelled, engine.ReasonSignal, "stopped"), result(skipped, "", ""),
		result(skipped, engine.ReasonBudget, "$1 ran out"), result(skipped, engine.ReasonBudget, "$2 ran out"), result(skipped, engine.ReasonBudget, "$2 ran out"),
		result(cancelled, engine.ReasonFailFast, ""), result(cancelled, engine.ReasonFailFast, ""), result(skipped, engine.ReasonFailFast, ""), result(skipped, engine.ReasonFailFast, ""),
	})
	var got []string
	for _, b := range blocked {
		got = append(got, b.Sign()+" "+b.Sentence())
	}
	want := []string{
		"- 2 trials were skipped: $2 ran out",
		"- 2 trials were cancelled: the matrix had ended with the first trial that did not pass",
		"- 2 trials were skipped: the matrix had ended with the first trial that did not pass",
		"- /@#0 was skipped: $1 ran out",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was left (-want +got):\n%s", diff)
	}
}
