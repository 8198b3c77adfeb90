package gateway

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/translate"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// passedHeaders are those of an answer that the agent gets. Others tell whose
// account it is, or make clients slow down for limits that are the gateway's task.
var passedHeaders = []string{"Request-Id", "X-Request-Id", "Openai-Version", "Openai-Processing-Ms"}

// relay hands an answer on while it comes, and reads it for the ledger.
func (c *call) relay(r *reply) {
	defer r.watch.end()
	p := &pump{call: c, reply: r, fold: wire.NewFolder(c.up), out: c.output()}
	err := p.all()
	p.note()
	c.row.Cut = err != nil || c.row.Stop == "" && c.Kind == wire.KindCompletion && c.Stream
	c.row.Gone = c.row.Gone || err != nil && c.r.Context().Err() != nil
	var told *translate.Error
	switch {
	case err == nil || c.row.Gone:
	case errors.As(err, &told) && c.begun: // in the stream
	case errors.As(err, &told):
		c.hopeless(Trouble{Reason: engine.ReasonProvider, Detail: c.detail("its answer cannot be translated: " + err.Error())})
	default:
		panic(http.ErrAbortHandler) // the agent sees it break off, as it did
	}
}

// A pump moves the bytes of an answer.
type pump struct {
	*call
	reply *reply
	fold  *wire.Folder
	out   output
}

func (p *pump) all() error {
	r := p.reply
	if err := p.take(r.held); err != nil {
		return err
	}
	if !r.whole {
		body := touched{r.response.Body, r.watch, p.gateway.timing.Silence}
		piece := r.held[:cap(r.held)] // which is on its way, and not needed any more
		for {
			n, err := body.Read(piece)
			if n > 0 {
				if err := p.take(piece[:n]); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return r.watch.because(err)
			}
		}
	}
	rest, err := p.out.rest()
	p.hand(rest)
	return err
}

func (p *pump) take(piece []byte) error {
	p.row.Got += int64(len(piece))
	_, _ = p.fold.Write(piece) // takes everything
	ready, err := p.out.next(piece)
	p.hand(ready)
	return err
}

// hand gives the agent what is ready, after the status.
func (p *pump) hand(ready []byte) {
	if len(ready) == 0 {
		return
	}
	if p.row.FirstByte == 0 {
		p.row.FirstByte = time.Since(p.row.Began)
	}
	if p.reply.whole && !p.Stream || p.fold.Ended() {
		p.note()
		p.count() // before the agent can ask anything else
	}
	if !p.begun {
		p.start(len(ready))
	}
	p.give(ready)
}

// note takes from the answer what the ledger wants to know, unless it has that.
func (p *pump) note() {
	if p.counted {
		return
	}
	a := p.fold.Answer()
	p.row.Usage, p.row.Served, p.row.Stop, p.row.Failure = a.Usage, a.Model, a.Stop, a.Failure
}

// start sends the status and the headers of the answer, of which so many bytes are
// ready.
func (p *pump) start(ready int) {
	kind := "application/json"
	if p.Stream {
		kind = streamType(p.Call)
	} else if p.reply.whole {
		p.w.Header().Set("Content-Length", strconv.Itoa(ready)) // or it ends in a piece of its own
	}
	if p.state == nil {
		for _, name := range passedHeaders {
			if v := p.reply.response.Header.Get(name); v != "" {
				p.w.Header().Set(name, p.gateway.mask.String(v))
			}
		}
		kind = cmp.Or(p.gateway.mask.String(p.reply.response.Header.Get("Content-Type")), kind)
	}
	p.open(kind)
}

// An output turns pieces of what a provider sends into what the agent reads.
type output interface {
	next(piece []byte) ([]byte, error)
	rest() ([]byte, error)
}

func (c *call) output() output {
	switch {
	case c.state != nil && c.state.Streamed():
		return translated{c.state.Stream()}
	case c.state != nil:
		return &plain{state: c.state}
	case c.HidesUsage():
		return &filtered{}
	}
	return asItIs{}
}

// asItIs changes nothing.
type asItIs struct{}

func (asItIs) next(p []byte) ([]byte, error) { return p, nil }
func (asItIs) rest() ([]byte, error)         { return nil, nil }

// filtered takes out the usage that the agent did not ask for.
type filtered struct {
	filter wire.UsageFilter
	buffer []byte
}

func (f *filtered) next(p []byte) ([]byte, error) {
	f.buffer = f.filter.Next(f.buffer[:0], p)
	return f.buffer, nil
}

func (f *filtered) rest() ([]byte, error) { return f.filter.Rest(nil), nil }

// translated is a stream of another family.
type translated struct{ stream *translate.Stream }

func (t translated) next(p []byte) ([]byte, error) { return t.stream.Write(p) }
func (t translated) rest() ([]byte, error)         { return t.stream.Close() }

// plain is an answer of another family, which is held until it is whole.
type plain struct {
	state *translate.State
	body  []byte
}

func (p *plain) next(piece []byte) ([]byte, error) {
	p.body = append(p.body, piece...)
	return nil, nil
}

func (p *plain) rest() ([]byte, error) { return p.state.Answer(p.body) }

// A watch ends a request that its provider lets wait for too long.
type watch struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
}

var errSilent = errors.New("it has said nothing for too long")

func newWatch(ctx context.Context, first time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel, ctx: ctx}
	w.timer = time.AfterFunc(first, func() { cancel(errSilent) })
	return ctx, w
}

func (w *watch) touch(d time.Duration) { w.timer.Reset(d) }

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// because is the reason for an error that the watch has caused.
func (w *watch) because(err error) error {
	if errors.Is(context.Cause(w.ctx), errSilent) {
		return errSilent
	}
	return err
}

// touched is a body that is watched: it has some time for each piece, from when that
// is asked for. What the agent takes to read is not the provider's silence.
type touched struct {
	body    io.Reader
	watch   *watch
	silence time.Duration
}

func (t touched) Read(p []byte) (int, error) {
	t.watch.touch(t.silence)
	defer t.watch.timer.Stop()
	return t.body.Read(p)
}
