package graph_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine/graph"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

// TestScripts plays testdata/*.txt. A line that begins with ">" is a command;
// what stands below it is what the graph says to it.
//
//	> capacity memory=4 trial=2 !gpu=a,b     "!" sets the rest aside for who waits
//	> scope m max_errors=2 fail_fast deadline=5m
//	> account usd=10
//	> vertex ID needs=a,b after=c any=d,e takes=memory:2 rank=1 scopes=m counts tail
//	         round=r spends=usd:3 breaker=p retry=3:sandbox:8s:1m
//	> go                                     makes the graph
//	> finish ID done usd=1                   or failed, errored:CLASS, skipped, cancelled
//	> tick 5m
//	> close m REASON stop
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(text)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(text, got) {
				t.Errorf("%s: got\n%s", file, got)
			}
		})
	}
}

// play gives the script with what the graph says now.
func play(text []byte) []byte {
	var out bytes.Buffer
	p := &player{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			fmt.Fprintln(&out, line)
			continue
		}
		command, ok := strings.CutPrefix(line, "> ")
		if !ok {
			continue // what it said before
		}
		fmt.Fprintln(&out, line)
		p.command(&out, strings.Fields(command))
	}
	return out.Bytes()
}

type player struct {
	graph.Config
	g   *graph.Graph
	now time.Duration
}

func (p *player) command(out *bytes.Buffer, words []string) {
	switch words[0] {
	case "capacity":
		p.capacity(words[1:])
		return
	case "scope":
		p.Scopes = append(p.Scopes, scopeOf(words[1:]))
		return
	case "account":
		p.Accounts = floats(words[1:], "=")
		return
	case "vertex":
		p.Vertices = append(p.Vertices, vertexOf(words[1:]))
		return
	case "go":
		g, err := graph.New(p.Config)
		if err != nil {
			fmt.Fprintln(out, err)
			return
		}
		p.g = g
	case "finish":
		p.g.Finish(words[1], reportOf(words[2:]), p.now)
	case "tick":
		p.now += duration(words[1])
	case "close":
		p.g.Close(strings.Trim(words[1], `"`), words[2], len(words) > 3)
	default:
		panic("unknown command " + words[0])
	}
	for _, a := range p.g.Next(p.now) {
		fmt.Fprintln(out, actionText(a))
	}
	if at, ok := p.g.Wake(); ok {
		fmt.Fprintln(out, "wake at", at.Round(time.Millisecond))
	}
	if p.g.Over() {
		fmt.Fprintln(out, "over")
	}
}

func actionText(a graph.Action) string {
	var b strings.Builder
	switch a := a.(type) {
	case graph.Start:
		fmt.Fprintf(&b, "start %s", a.ID)
		if a.Try > 1 {
			fmt.Fprintf(&b, " try=%d", a.Try)
		}
		for _, name := range slices.Sorted(maps.Keys(a.Devices)) {
			fmt.Fprintf(&b, " %s=%s", name, strings.Join(a.Devices[name], ","))
		}
	case graph.Cancel:
		fmt.Fprintf(&b, "cancel %s %s", a.ID, a.Reason)
	case graph.Again:
		fmt.Fprintf(&b, "again %s after try %d at %v", a.ID, a.Try, a.At.Round(time.Millisecond))
	case graph.End:
		fmt.Fprintf(&b, "end %s %v", a.ID, a.Status)
		if a.Tries > 1 {
			fmt.Fprintf(&b, " tries=%d", a.Tries)
		}
		if a.Reason != "" {
			fmt.Fprintf(&b, " reason=%s", a.Reason)
		}
		if a.Cause != "" {
			fmt.Fprintf(&b, " cause=%s", a.Cause)
		}
	}
	return b.String()
}

func (p *player) capacity(words []string) {
	p.Capacity, p.Devices = map[string]int64{}, map[string][]string{}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		machine := strings.HasPrefix(name, "!")
		name = strings.TrimPrefix(name, "!")
		if machine {
			p.Machine = append(p.Machine, name)
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			p.Capacity[name] = n
		} else {
			p.Devices[name] = strings.Split(value, ",")
		}
	}
}

func scopeOf(words []string) graph.Scope {
	s := graph.Scope{Name: strings.Trim(words[0], `"`)}
	for _, w := range words[1:] {
		switch name, value, _ := strings.Cut(w, "="); name {
		case "max_errors":
			s.MaxErrors = int(number(value))
		case "fail_fast":
			s.FailFast = true
		case "deadline":
			s.Deadline = duration(value)
		default:
			panic("unknown word " + w)
		}
	}
	return s
}

func vertexOf(words []string) graph.Vertex {
	v := graph.Vertex{ID: words[0]}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		list := strings.Split(value, ",")
		switch name {
		case "needs":
			v.Needs = list
		case "any":
			v.Any = list
		case "after":
			v.After = list
		case "takes":
			for _, c := range list {
				name, n, _ := strings.Cut(c, ":")
				v.Takes = append(v.Takes, graph.Claim{Name: name, Amount: int64(number(n))})
			}
		case "rank":
			v.Rank = int(number(value))
		case "scopes":
			v.Scopes = list
		case "counts":
			v.Counts = true
		case "tail":
			v.Tail = true
		case "round":
			v.Round = value
		case "spends":
			v.Spends = floats(list, ":")
		case "breaker":
			v.Breaker = value
		case "retry":
			part := strings.Split(value, ":")
			v.Retry = graph.Retry{Attempts: int(number(part[0])), On: strings.Split(part[1], "+"), Backoff: duration(part[2]), MaxBackoff: duration(part[3])}
		default:
			panic("unknown word " + w)
		}
	}
	return v
}

func reportOf(words []string) graph.Report {
	status, class, _ := strings.Cut(words[0], ":")
	r := graph.Report{Class: class, Reason: class, Spent: floats(words[1:], "=")}
	for s := graph.Done; s <= graph.Cancelled; s++ {
		if s.String() == status {
			r.Status = s
		}
	}
	return r
}

func floats(words []string, sep string) map[string]float64 {
	out := map[string]float64{}
	for _, w := range words {
		name, value, _ := strings.Cut(w, sep)
		out[name] = number(value)
	}
	return out
}

func number(s string) float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}
