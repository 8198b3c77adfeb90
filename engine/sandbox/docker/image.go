package docker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/client"
	tc "github.com/testcontainers/testcontainers-go"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Image makes an image available: one that has a name is pulled unless it is
// there; one that is built is tagged by its key, and built unless that tag is
// there.
func (d *Driver) Image(ctx context.Context, spec sandbox.ImageSpec) (string, error) {
	if spec.Image.Build == nil {
		return d.named(ctx, spec)
	}
	repo, tag := builtRepo+repoName(spec.Name), buildTag(spec)
	for {
		id, err := d.imageID(ctx, repo+":"+tag)
		if errdefs.IsNotFound(err) {
			if err := d.build(ctx, spec, repo, tag); err != nil {
				return "", err
			}
			id, err = d.imageID(ctx, repo+":"+tag)
		}
		if err != nil {
			return "", wrap("looking for an image", err)
		}
		if err := d.images.hold(ctx, id); err != nil {
			return "", fmt.Errorf("cannot record that an image is in use: %w", err)
		}
		// Another process may have evicted it just before it was held.
		if again, err := d.imageID(ctx, repo+":"+tag); err == nil && again == id {
			return id, nil
		} else if err != nil && !errdefs.IsNotFound(err) {
			return "", wrap("looking for an image", err)
		}
	}
}

// builtRepo begins the names of the images that bench builds.
const builtRepo = "bench/"

// buildTag says what a build gives. The key covers all but what the name of the
// image below it means on this engine now.
func buildTag(spec sandbox.ImageSpec) string {
	sum := spec.Key
	if spec.Base != "" {
		sum = sha256.Sum256([]byte(sum.String() + " " + spec.Base))
	}
	return sum.String()[:24]
}

func (d *Driver) imageID(ctx context.Context, ref string) (string, error) {
	r, err := d.client.ImageInspect(ctx, ref)
	return r.ID, err
}

var notRepo = regexp.MustCompile(`[^a-z0-9]+`)

func repoName(s string) string {
	return strings.Trim(notRepo.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

// logTail is how much of a build's output is kept for its error, in bytes.
const logTail = 16 << 10

func (d *Driver) build(ctx context.Context, spec sandbox.ImageSpec, repo, tag string) error {
	ctx, cancel := context.WithTimeout(ctx, spec.Build)
	defer cancel()
	archive, err := os.CreateTemp("", "bench-context-*.tar")
	if err != nil {
		return err
	}
	defer os.Remove(archive.Name())
	defer archive.Close()
	if err := spec.Context(archive); err != nil {
		return fmt.Errorf("packing the build context: %w", err)
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	def := spec.Image.Build
	args := map[string]*string{}
	for k, v := range def.Args {
		args[k] = &v
	}
	if spec.Base != "" {
		base, forget, err := d.nameBase(ctx, spec.Base, tag)
		if err != nil {
			return err
		}
		defer forget()
		args["BASE"] = &base
	}
	platform, err := parsePlatform(spec.Platform)
	if err != nil {
		return err
	}
	log := &tail{max: logTail}
	_, err = d.provider.BuildImage(ctx, &tc.ContainerRequest{FromDockerfile: tc.FromDockerfile{
		ContextArchive: archive,
		Dockerfile:     def.Dockerfile,
		Repo:           repo,
		Tag:            tag,
		BuildArgs:      args,
		KeepImage:      true,
		BuildLogWriter: log,
		BuildOptionsModifier: func(o *client.ImageBuildOptions) {
			o.Target = def.Target
			o.Labels = map[string]string{labelImage: spec.Key.String(), labelBuilder: d.session.owner}
			o.Platforms = platform
			if needsBuildKit(spec) {
				o.Version = build.BuilderBuildKit
			}
		},
	}})
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &sandbox.BuildError{Log: log.String(), Err: fmt.Errorf("the build of %s took longer than %s", spec.Name, spec.Build)}
	case errors.Is(wrap("", err), sandbox.ErrUnavailable), ctx.Err() != nil:
		return wrap("building "+spec.Name, err)
	}
	return &sandbox.BuildError{Log: log.String(), Err: fmt.Errorf("the Dockerfile of %s does not build: %s", spec.Name, firstLine(err))}
}

// baseRepo is the name of images below a layer; see labelsOfName for their tags.
const baseRepo = "bench.invalid/base"

// nameBase gives an image a name that a Dockerfile can begin with, until it is
// forgotten: BuildKit does not take ids. The host of it is one that never exists,
// so that nothing else can be pulled under the name.
func (d *Driver) nameBase(ctx context.Context, id, tag string) (name string, forget func(), err error) {
	name = fmt.Sprintf("%s:%s-%s-%s", baseRepo, d.session.owner, d.session.id, tag)
	if _, err := d.client.ImageTag(ctx, client.ImageTagOptions{Source: id, Target: name}); err != nil {
		return "", nil, wrap("naming the image below a layer", err)
	}
	return name, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
		defer cancel()
		_, _ = d.client.ImageRemove(ctx, name, client.ImageRemoveOptions{}) // only a name, of an image that is used
	}, nil
}

// needsBuildKit reports whether a Dockerfile uses what only BuildKit has. The
// classic builder is preferred, since over the plain API only it says what a
// failing step printed.
func needsBuildKit(spec sandbox.ImageSpec) bool {
	var text []byte
	def := spec.Image.Build
	if f, err := def.Context.FS.Open(def.Dockerfile); err == nil {
		text, _ = io.ReadAll(io.LimitReader(f, 1<<20))
		f.Close()
	}
	return bytes.Contains(text, []byte("RUN --")) || bytes.Contains(text, []byte("COPY --link")) || bytes.Contains(text, []byte("<<"))
}

func firstLine(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "build image: "); i >= 0 {
		text = text[i+len("build image: "):]
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// A tail keeps the end of what is written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*t.max {
		t.buf = append([]byte(nil), t.buf[len(t.buf)-t.max:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buf[max(0, len(t.buf)-t.max):]) }
