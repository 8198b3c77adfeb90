package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/moby/moby/api/types/container"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Changes asks the engine, which compares the container with its image. The
// client could do so, too, but holds the whole answer in memory, whose size is for
// the programs in the sandbox to choose.
func (b *box) Changes(ctx context.Context, each func(sandbox.Change) error) error {
	answer, err := b.askChanges(ctx)
	if err != nil {
		return wrap("listing what changed in a sandbox", err)
	}
	defer answer.Close()
	in := json.NewDecoder(answer)
	if _, err := in.Token(); err != nil { // the bracket, or null
		return wrap("listing what changed in a sandbox", err)
	}
	for in.More() {
		var change container.FilesystemChange
		if err := in.Decode(&change); err != nil {
			return wrap("listing what changed in a sandbox", err)
		}
		if err := each(sandbox.Change{Path: change.Path, Deleted: change.Kind == container.ChangeDelete}); err != nil {
			return err
		}
	}
	return nil
}

func (b *box) askChanges(ctx context.Context) (io.ReadCloser, error) {
	dial := b.client.Dialer()
	engine := http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://engine/v%s/containers/%s/changes", b.client.ClientVersion(), b.id), nil)
	if err != nil {
		return nil, err
	}
	answer, err := engine.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, err
	case strings.Contains(string(text), "file name too long"): // as Linux says it
		return nil, sandbox.ErrLongPath
	}
	return nil, fmt.Errorf("the engine answered %s: %.400q", answer.Status, text)
}

// maxAnswer bounds an error of the engine, in bytes. It may name a path of any
// length before it says what is wrong with it.
const maxAnswer = 16 << 20

// removeFiles removes paths with the image's own rm. It is one command, which has
// started when it removes what it was started from.
func (b *box) removeFiles(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	var out strings.Builder
	exit, err := b.Exec(ctx, sandbox.Cmd{Args: append([]string{"rm", "-rf", "--"}, paths...), Dir: "/", Stdout: &out, Stderr: &out})
	if err == nil && exit.Code != 0 {
		err = fmt.Errorf("rm of the image could not remove what is not to be there: exit status %d: %.200s", exit.Code, strings.TrimSpace(out.String()))
	}
	return err
}
