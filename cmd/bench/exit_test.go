package main

import (
	"syscall"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
)

// ofMatrix is a trial of a matrix that ended in some way.
func ofMatrix(matrix string, status engine.Status, reason engine.Reason) engine.Result {
	return engine.Result{Trial: &engine.Trial{ID: engine.TrialID{Matrix: matrix}}, Outcome: engine.Outcome{Status: status, Reason: reason}}
}

// judgedGate is a gate over the matrix m that ended in some way.
func judgedGate(name string, severity engine.Severity, allow bool, how engine.Judgement) engine.GateResult {
	return engine.GateResult{Judgement: how, Gate: &engine.Gate{
		Name: name, Severity: severity, AllowIncomplete: allow, If: how != engine.GateSkipped, Condition: &engine.Condition{Matrices: []string{"m"}},
	}}
}

func TestExitOf(t *testing.T) {
	const fails, warns = engine.SeverityError, engine.SeverityWarning
	var (
		passed  = ofMatrix("m", engine.StatusPassed, "")
		failed  = ofMatrix("m", engine.StatusFailed, engine.ReasonCheck)
		errored = ofMatrix("m", engine.StatusErrored, engine.ReasonHost)
		other   = ofMatrix("n", engine.StatusErrored, engine.ReasonHost)
		bug     = ofMatrix("m", engine.StatusErrored, engine.ReasonEngine)
		unasked = ofMatrix("m", engine.StatusSkipped, engine.ReasonCondition)
		needed  = ofMatrix("m", engine.StatusSkipped, engine.ReasonNeeds)

		good    = judgedGate("good", fails, false, engine.GatePassed)
		bad     = judgedGate("bad", fails, false, engine.GateFailed)
		worse   = judgedGate("worse", fails, false, engine.GateFailed)
		unsure  = judgedGate("unsure", fails, false, engine.GateInconclusive)
		unsure2 = judgedGate("unsure2", fails, false, engine.GateInconclusive)
		warned  = judgedGate("warned", warns, false, engine.GateFailed)
		doubted = judgedGate("doubted", warns, false, engine.GateInconclusive)
		skipped = judgedGate("skipped", fails, true, engine.GateSkipped)
		lenient = judgedGate("lenient", fails, true, engine.GatePassed)
	)
	type trials = []engine.Result
	type gates = []engine.GateResult
	for _, tt := range []struct {
		name     string
		trials   trials
		gates    gates
		signal   syscall.Signal
		deadline bool
		failOn   string
		want     engine.Exit
	}{
		{"nothing but passed", trials{passed}, nil, 0, false, "", engine.Exit{Code: 0, Reason: "Every trial came to a verdict."}},
		{"failed trials are results", trials{passed, failed}, nil, 0, false, "",
			engine.Exit{Code: 0, Reason: "Every trial came to a verdict. Failed trials do not change the exit status; --fail-on failed makes it 3."}},
		{"gates passed", trials{passed, failed}, gates{good, skipped}, 0, false, "", engine.Exit{Code: 0, Reason: "Every trial came to a verdict, and every gate passed."}},
		{"warnings", trials{passed}, gates{good, warned, doubted}, 0, false, "",
			engine.Exit{Code: 0, Reason: "Every trial came to a verdict. Gates warned and doubted did not pass, which is only a warning."}},
		{"incomplete is allowed", trials{passed, errored}, gates{lenient}, 0, false, "",
			engine.Exit{Code: 0, Reason: "1 of 2 trials came to no verdict, which the suite allows, and every gate passed."}},
		{"its if is false", trials{passed, unasked}, nil, 0, false, "", engine.Exit{Code: 0, Reason: "1 of 2 trials came to no verdict, which the suite allows."}},

		{"incomplete", trials{passed, errored}, nil, 0, false, "", engine.Exit{Code: 4, Reason: "Incomplete: 1 of 2 trials came to no verdict. The next apply tries again."}},
		{"incomplete is not allowed by every gate", trials{passed, errored}, gates{warned}, 0, false, "",
			engine.Exit{Code: 4, Reason: "Incomplete: 1 of 2 trials came to no verdict. The next apply tries again."}},
		{"a skipped gate allows nothing", trials{errored}, gates{skipped}, 0, false, "",
			engine.Exit{Code: 4, Reason: "Incomplete: 1 of 1 trial came to no verdict. The next apply tries again."}},
		{"incomplete elsewhere", trials{errored, other}, gates{lenient}, 0, false, "",
			engine.Exit{Code: 4, Reason: "Incomplete: 1 of 2 trials came to no verdict. The next apply tries again."}},
		{"needs were not met", trials{needed}, nil, 0, false, "", engine.Exit{Code: 4, Reason: "Incomplete: 1 of 1 trial came to no verdict. The next apply tries again."}},
		{"inconclusive", trials{passed, failed}, gates{good, unsure}, 0, false, "", engine.Exit{Code: 4, Reason: "Gate unsure is inconclusive."}},
		{"inconclusive, before incomplete", trials{errored}, gates{unsure, unsure2}, 0, false, "", engine.Exit{Code: 4, Reason: "Gates unsure and unsure2 are inconclusive."}},
		{"deadline", trials{passed}, gates{unsure, lenient}, 0, true, "",
			engine.Exit{Code: 4, Reason: "Incomplete: the wall clock of the suite's budget ran out. The next apply goes on from there."}},

		{"a gate failed", trials{passed}, gates{good, bad}, 0, false, "", engine.Exit{Code: 3, Reason: "Gate bad failed."}},
		{"failed, before incomplete", trials{errored}, gates{bad, unsure, worse}, 0, true, "", engine.Exit{Code: 3, Reason: "Gates bad and worse failed."}},
		{"fail-on", trials{failed, errored}, gates{good}, 0, false, "failed", engine.Exit{Code: 3, Reason: "1 trial failed, and --fail-on failed was given."}},
		{"fail-on, and nothing failed", trials{errored}, nil, 0, false, "failed", engine.Exit{Code: 4, Reason: "Incomplete: 1 of 1 trial came to no verdict. The next apply tries again."}},
		{"a bug, before all results", trials{bug, failed}, gates{bad}, 0, true, "failed", engine.Exit{Code: 1, Reason: "1 trial ran into a bug of bench."}},
		{"interrupted, before all", trials{bug}, gates{bad}, syscall.SIGINT, true, "failed",
			engine.Exit{Code: 130, Reason: "Stopped by a signal; what had ended is stored, and the next apply goes on from there."}},
		{"terminated", trials{passed}, nil, syscall.SIGTERM, false, "",
			engine.Exit{Code: 143, Reason: "Stopped by a signal; what had ended is stored, and the next apply goes on from there."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitOf(tt.trials, tt.gates, int(tt.signal), tt.deadline, tt.failOn); got != tt.want {
				t.Errorf("got  %d %s\nwant %d %s", got.Code, got.Reason, tt.want.Code, tt.want.Reason)
			}
		})
	}
}

func TestGateNames(t *testing.T) {
	for want, names := range map[string][]string{"Gate a": {"a"}, "Gates a and b": {"a", "b"}, "Gates a, b and c": {"a", "b", "c"}} {
		if got := gateNames(names); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
