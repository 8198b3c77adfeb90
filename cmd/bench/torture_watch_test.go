package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// A watcher hears from the engine itself which trials sandboxes are made for,
// even those of a bench that dies before it can store anything.
type watcher struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	made []creation
}

// A creation is one sandbox that was made.
type creation struct {
	id    string
	trial string
	at    time.Time // by the clock of the engine, which is this machine's
}

// watchEngine begins to listen. When the engine goes away, it waits until it is
// there again, and asks for what it has missed.
func watchEngine(c *client.Client, owner string) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{cancel: cancel, done: make(chan struct{})}
	since := time.Now()
	go func() {
		defer close(w.done)
		for ctx.Err() == nil {
			w.listen(ctx, c, owner, since)
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return w
}

func (w *watcher) listen(ctx context.Context, c *client.Client, owner string, since time.Time) {
	stream := c.Events(ctx, client.EventsListOptions{
		Since:   strconv.FormatInt(since.Unix(), 10),
		Filters: make(client.Filters).Add("label", "bench.owner="+owner).Add("type", "container").Add("event", "create"),
	})
	for {
		select {
		case e := <-stream.Messages:
			w.note(e)
		case <-stream.Err:
			return
		}
	}
}

func (w *watcher) note(e events.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.made {
		if m.id == e.Actor.ID {
			return // told again after the engine was away
		}
	}
	w.made = append(w.made, creation{e.Actor.ID, e.Actor.Attributes["bench.trial"], time.Unix(0, e.TimeNano)})
}

// creations lists what was made so far.
func (w *watcher) creations() []creation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]creation(nil), w.made...)
}

func (w *watcher) stop() {
	w.cancel()
	<-w.done
}
