package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

const always = "turn always\ntext Hi there.\nusage input=100 output=20\n"

var eachLimit = map[engine.Reason]engine.Limits{
	engine.ReasonLimitTokens: {Tokens: 240}, engine.ReasonLimitCost: {Cost: 0.0006}, engine.ReasonLimitRequests: {Requests: 2}, engine.ReasonLimitTurns: {Turns: 2},
}

// A limit stops the very next call, with the status and the shape that make the
// clients of a family give up.
func TestLimits(t *testing.T) {
	for reason, limits := range eachLimit {
		for _, f := range wire.Families {
			t.Run(fmt.Sprintf("%s/%s", reason, f), func(t *testing.T) {
				r := newRig(t, engine.APIOpenAI)
				r.trial.Limits = limits
				r.scripted(always)
				for range 2 {
					if status, body := r.ask(f, false, true); status != 200 {
						t.Fatalf("status %d: %s", status, body)
					}
				}
				status, body := r.ask(f, true, true)
				want := 403
				if f == wire.Responses {
					want = 400
				}
				if status != want || !hasShape(f, body) || !strings.Contains(body, "has used up what this trial allows") {
					t.Errorf("the agent saw %d %s", status, body)
				}
				use, calls := r.close()
				r.log(body, use, calls)
				if use.Limit != reason || use.LimitDetail == "" || use.Requests != 2 || use.Refused != 1 || use.Trouble != nil || calls[2].Refused != "budget_exceeded" {
					t.Errorf("use: %+v", use)
				}
			})
		}
	}
}

// hasShape reports whether a body is an error in the words of a family.
func hasShape(f wire.Family, body string) bool {
	var e struct {
		Type  string `json:"type"`
		Error struct {
			Message, Type, Status string
			Code                  any
		} `json:"error"`
	}
	if json.Unmarshal([]byte(body), &e) != nil || !strings.HasPrefix(e.Error.Message, "bench: ") {
		return false
	}
	switch f {
	case wire.Anthropic:
		return e.Type == "error" && e.Error.Type != ""
	case wire.Google:
		_, number := e.Error.Code.(float64)
		return number && e.Error.Status != ""
	}
	return e.Error.Type != "" && e.Error.Code != ""
}

// What an agent asks beside its work is no turn, also where it comes first: opencode
// asks for a title before it begins, and Gemini CLI which model is to work.
func TestTurnsAfterTitle(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.trial.Limits = engine.Limits{Turns: 1}
	r.scripted(always)
	for i, c := range []struct {
		tools  bool
		status int
	}{{false, 200}, {true, 200}, {false, 200}, {true, 403}} {
		if status, body := r.ask(wire.OpenAI, false, c.tools); status != c.status {
			t.Errorf("request %d: status %d: %s", i+1, status, body)
		}
	}
	if use, _ := r.close(); use.Turns != 1 || use.Requests != 3 || use.Limit != engine.ReasonLimitTurns || !strings.HasSuffix(use.LimitDetail, "1 of 1 turns") {
		t.Errorf("use: %+v", use)
	}
}

// Requests and turns are counted before they are made, so none is one too many; what
// calls that are under way cost is known only afterwards.
func TestLimitsAtOnce(t *testing.T) {
	for reason, limits := range eachLimit {
		t.Run(string(reason), func(t *testing.T) {
			r := newRig(t, engine.APIOpenAI)
			r.trial.Limits = limits
			r.provider.Parallel = 4
			r.live(func(w http.ResponseWriter, q *http.Request) {
				time.Sleep(20 * time.Millisecond)
				chat(w, q)
			})
			statuses := r.many(40)
			use, calls := r.close()
			r.log(fmt.Sprint(statuses), use, calls)
			most := int64(2)
			if limits.Requests+limits.Turns == 0 {
				most += 4 // those that were under way
			}
			if use.Requests > most || use.Limit != reason || use.Requests+use.Refused != 40 {
				t.Errorf("use: %+v", use)
			}
		})
	}
}

// An agent that goes on asking after a limit is to be stopped.
func TestIgnoredRefusal(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.trial.Limits = engine.Limits{Requests: 1}
	r.scripted(always)
	for i := range 22 {
		r.ask(wire.OpenAI, false, true)
		select {
		case <-r.session.Ended():
			if i < 21 {
				t.Errorf("ended after %d refusals", i)
			}
			return
		default:
		}
	}
	t.Error("not ended")
}

// What a provider says of its work is believed within reason. What is not known
// stays so, and counts against the limits as about what it must be.
func TestUsage(t *testing.T) {
	const usual = `{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}`
	for _, s := range []struct {
		name, usage string
		known       bool
		doubt       bool
	}{
		{"as it is", usual, true, false},
		{"none", `null`, false, false},
		{"no numbers", `{"prompt_tokens":"many","completion_tokens":[]}`, false, false},
		{"negative", `{"prompt_tokens":-100,"completion_tokens":20}`, false, false},
		{"absurd input", `{"prompt_tokens":900000000000,"completion_tokens":20}`, false, true},
		{"absurd output", `{"prompt_tokens":100,"completion_tokens":900000000000}`, false, true},
		{"absurd reasoning", `{"prompt_tokens":100,"completion_tokens":900000000020,"completion_tokens_details":{"reasoning_tokens":900000000000}}`, false, true},
		{"more from the cache than there is", `{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":500}}`, false, false},
		{"zero", `{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, false, true},
		{"fractions", `{"prompt_tokens":1.5,"completion_tokens":20}`, false, false},
		{"too large for a number", `{"prompt_tokens":1e400,"completion_tokens":20}`, false, false},
	} {
		for limit, limits := range map[engine.Reason]engine.Limits{engine.ReasonLimitTokens: {Tokens: 300}, engine.ReasonLimitCost: {Cost: 0.0010}} {
			t.Run(s.name+"/"+string(limit), func(t *testing.T) {
				r := newRig(t, engine.APIOpenAI)
				r.trial.Limits = limits
				r.live(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, strings.Replace(plainChat, usual, s.usage, 1))
				})
				var saw string
				for range 10 {
					var status int
					if status, saw = r.ask(wire.OpenAI, false, true); status != 200 {
						break
					}
				}
				use, calls := r.close()
				r.log(saw, use, calls)
				if n := len(calls); n < 3 || n > 8 || use.Limit != limit {
					t.Errorf("after %d calls: %+v", n, use)
				}
				if (use.Tokens != nil) != s.known || (use.Cost != nil) != s.known || (use.Input != nil) != s.known {
					t.Errorf("tokens %s, cost %s", known(use.Tokens), known(use.Cost))
				}
				if (calls[0].Doubt != "") != s.doubt || s.doubt && calls[0].Usage.Total() != nil {
					t.Errorf("doubt: %q", calls[0].Doubt)
				}
			})
		}
	}
}
