package cassette

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/ml-dev-bench/bench/engine"
)

// A Player gives the answers of a cassette.
type Player struct {
	dir     string
	options Options
}

// NewPlayer plays what is in a directory.
func NewPlayer(dir string, o Options) *Player { return &Player{dir, o.named(dir)} }

// Open reads the recording of a trial.
func (p *Player) Open(id engine.TrialID) (*Playback, error) {
	key := keyOf(id)
	path := fileOf(p.dir, id)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, p.missing(key, path)
	}
	if err != nil {
		return nil, fmt.Errorf("cassette %s: %w", p.options.Name, err)
	}
	b := &Playback{player: p, key: key, text: text}
	of, err := each(text, func(c call) {
		b.calls = append(b.calls, played{n: c.n, sum: c.request.sum(), response: c.response})
	})
	if err == nil && of != key {
		err = &badLine{2, fmt.Sprintf("this is the recording of %s, and not of %s", of, key)}
	}
	if err != nil {
		return nil, fmt.Errorf("%s, %w. Undo what was changed in it, or record it again", path, err)
	}
	return b, nil
}

func (p *Player) missing(key, path string) error {
	why := "it was never recorded"
	if _, err := os.Stat(path + part); err == nil {
		why = "its recording was begun and never finished"
	}
	return fmt.Errorf("cassette %s has nothing of %s: %s. Run it once with the mode \"record\"", p.options.Name, key, why)
}

// A Playback answers what one attempt of a trial asks. It can be used by many
// goroutines.
//
// A request gets the answer of the first call that asked the same and was not
// played yet. So equal requests get their answers in the order in which these were
// recorded, and requests that were under way together may come in any order.
type Playback struct {
	player *Player
	key    string
	text   []byte // requests are short in it, and long outside: they are read again for a miss
	mu     sync.Mutex
	calls  []played
	n      int // requests so far
}

// A played is a call of the recording, and whether it was played.
type played struct {
	n        int
	sum      [sha256.Size]byte // of the request
	response Response
	asked    bool
}

func (q Request) sum() [sha256.Size]byte {
	return sha256.Sum256(slices.Concat([]byte(q.Method+" "+q.Path+"\n"), q.Body))
}

// Answer gives the recorded answer to a request, which nobody changes. The error
// is a *Miss.
func (p *Playback) Answer(q Request) (Response, error) {
	q = normal(q, p.player.options.mask)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	sum := q.sum()
	for i := range p.calls {
		if c := &p.calls[i]; !c.asked && c.sum == sum {
			c.asked = true
			return c.response, nil
		}
	}
	return Response{}, p.miss(q)
}

// Unasked are the calls that were recorded and not asked for, by their numbers.
func (p *Playback) Unasked() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []int
	for _, c := range p.calls {
		if !c.asked {
			out = append(out, c.n)
		}
	}
	return out
}

// A Miss is a request that the recording has no answer to.
type Miss struct {
	Cassette    string
	Trial       string // without its matrix
	N           int    // which request of the attempt it is; counts from 1
	Recorded    int    // calls in the recording
	Closest     int    // number of the call that is most like it; 0 if none is left
	Differences []Difference
}

// Error shows the first few differences.
func (m *Miss) Error() string {
	const most = 5
	var out strings.Builder
	fmt.Fprintf(&out, "request %d of %s is not in the cassette %s. ", m.N, m.Trial, m.Cassette)
	switch {
	case m.Recorded == 0:
		out.WriteString("No call was recorded.")
	case m.Closest == 0:
		fmt.Fprintf(&out, "All %d calls that were recorded have been played.", m.Recorded)
	default:
		fmt.Fprintf(&out, "Of what was not played yet, call %d is most like it:", m.Closest)
		for _, d := range m.Differences[:min(most, len(m.Differences))] {
			out.WriteString("\n  " + d.String())
		}
		if more := len(m.Differences) - most; more > 0 {
			fmt.Fprintf(&out, "\n  and %d more", more)
		}
	}
	out.WriteString("\nRun the trial once with the mode \"record\", or look for what in it changes from run to run.")
	return out.String()
}

// miss finds the call that is most like the request.
func (p *Playback) miss(q Request) *Miss {
	m := &Miss{Cassette: p.player.options.Name, Trial: p.key, N: p.n, Recorded: len(p.calls)}
	i := 0
	_, _ = each(p.text, func(c call) { // it was read without an error before
		if !p.calls[i].asked {
			if d := differences(c.request, q); m.Closest == 0 || len(d) < len(m.Differences) {
				m.Closest, m.Differences = c.n, d
			}
		}
		i++
	})
	return m
}
