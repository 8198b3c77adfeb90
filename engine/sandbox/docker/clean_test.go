package docker_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// look opens an engine without the sweep.
func look(t *testing.T, state string) *docker.Driver {
	t.Helper()
	d, err := docker.Open(t.Context(), docker.Options{State: state, Look: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// sessionOf is the id of the only session of a state directory, and its owner as
// labels have it.
func sessionOf(t *testing.T, d *docker.Driver, state string) (id, owner string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(state, "sessions", "*.lock"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	box, err := d.Start(t.Context(), trialSpec(baseID(t, d), state))
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	cli := api(t)
	list, err := cli.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", "bench.trial=clean in "+state)})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(list, err)
	}
	return strings.TrimSuffix(filepath.Base(files[0]), ".lock"), list.Items[0].Labels["bench.owner"]
}

func trialSpec(image, state string) sandbox.Spec {
	spec := sandboxtest.Spec(image)
	spec.Trial = "clean in " + state
	return spec
}

func api(t *testing.T) *client.Client {
	t.Helper()
	cli, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	return cli
}

// litter makes a thing of each kind as a session would.
func litter(t *testing.T, session, owner string) {
	t.Helper()
	labels := []string{"--label", "bench.session=" + session, "--label", "bench.owner=" + owner, "--label", "bench.trial=litter"}
	name, tag := "bench-test-"+session, fmt.Sprintf("bench.invalid/base:%s-%s-tag", owner, session)
	t.Cleanup(func() { // almost always, all of it is gone by then
		if ids, err := exec.Command("docker", "ps", "--all", "--quiet", "--filter", "label=bench.session="+session, "--filter", "label=bench.owner="+owner).Output(); err == nil {
			_ = exec.Command("docker", append([]string{"rm", "--force"}, strings.Fields(string(ids))...)...).Run()
		}
		for _, args := range [][]string{{"network", "rm", name}, {"volume", "rm", name}, {"rmi", tag}} {
			_ = exec.Command("docker", args...).Run()
		}
	})
	dockerCommand(t, append(append([]string{"create"}, labels...), base)...)
	dockerCommand(t, append(append([]string{"network", "create", "--subnet", subnet(session)}, labels[:4]...), name)...)
	dockerCommand(t, append(append([]string{"volume", "create"}, labels[:4]...), name)...)
	dockerCommand(t, "tag", base, tag)
}

// subnet is a small one that depends on the session, since the pools of an engine
// are shared by all tests.
func subnet(session string) string {
	sum := 0
	for _, c := range session {
		sum = sum*31 + int(c)
	}
	return fmt.Sprintf("10.217.%d.%d/29", sum>>5&255, sum<<3&255)
}

func kindsOf(things []docker.Thing) (out []docker.Kind) {
	for _, t := range things {
		out = append(out, t.Kind)
	}
	return out
}

// Of what is labelled, that of dead processes goes, and that of live ones stays.
// To look at it changes nothing.
func TestDead(t *testing.T) {
	state := t.TempDir()
	live := open(t, state)
	defer live.Close()
	id, owner := sessionOf(t, live, state)
	const dead = "00000000deadbeef"
	litter(t, dead, owner)
	litter(t, id, owner)
	other := look(t, state)
	for range 2 {
		left, err := other.Dead(t.Context())
		want := []docker.Kind{docker.KindContainer, docker.KindNetwork, docker.KindVolume, docker.KindName}
		if err != nil || !slices.Equal(kindsOf(left), want) {
			t.Fatalf("left are %+v, %v; want one of each kind", left, err)
		}
		for _, thing := range left[1:] {
			if !strings.Contains(thing.Name, dead) {
				t.Errorf("%+v is of a live process", thing)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(state, "sessions", dead+".lock")); err == nil {
		t.Error("looking made a lock file")
	}
	open(t, state).Close()
	if left, err := other.Dead(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("after the sweep there are %+v, %v", left, err)
	}
	ours := func() (out []string) {
		for kind, args := range map[string][]string{
			"container": {"ps", "--all", "--quiet", "--filter", "label=bench.session=" + id}, "network": {"network", "ls", "--quiet", "--filter", "label=bench.session=" + id},
			"volume": {"volume", "ls", "--quiet", "--filter", "label=bench.session=" + id}, "name": {"images", "--quiet", fmt.Sprintf("bench.invalid/base:%s-%s-tag", owner, id)},
		} {
			if dockerOutput(t, args...) != "" {
				out = append(out, kind)
			}
		}
		return out
	}
	if got := ours(); len(got) != 4 {
		t.Errorf("of the live process only these are left: %v", got)
	}
	live.Close()
	open(t, state).Close() // what a live process forgot, such as a name, goes when it is dead
	if got := ours(); len(got) != 0 {
		t.Errorf("these are left of a process that has ended: %v", got)
	}
}

func dockerOutput(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// from begins the Dockerfile of an image that lies over none of ours.
const from = "FROM " + base + "\n"

// sized is the spec of an image over another one that adds so many MiB.
func sized(t *testing.T, state, name, dockerfile string, mib int) sandbox.ImageSpec {
	t.Helper()
	data := make([]byte, mib<<20)
	rand.Read(data)
	tree, err := digest.Tree("test", fstest.MapFS{"Dockerfile": {Data: []byte(dockerfile + "COPY data /\n")}, "data": {Data: data}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sandbox.ImageSpec{
		Name: "evict-" + name + "-" + filepath.Base(filepath.Dir(state)), Key: digest.NewKey("test").AddTree("context", tree).Key().Sum,
		Image: engine.Image{Build: &engine.Build{Context: tree, Dockerfile: "Dockerfile"}}, Build: time.Minute,
		Context: func(w io.Writer) error {
			files := snapshot.NewWriter(w)
			return errors.Join(files.Tree(snapshot.Place{Dir: "/"}, tree), files.Close())
		},
	}
}

// built makes an image, and says when it was used.
func built(t *testing.T, d *docker.Driver, state string, spec sandbox.ImageSpec, at time.Time) string {
	t.Helper()
	id, err := d.Image(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", id).Run() }) // most are gone by then
	setUsed(t, state, id, at)
	return id
}

func setUsed(t *testing.T, state, id string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(filepath.Join(state, "images", strings.TrimPrefix(id, "sha256:")), at, at); err != nil {
		t.Fatal(err)
	}
}

func idsOf(things []docker.Thing) (out []string) {
	for _, t := range things {
		out = append(out, t.ID)
	}
	return out
}

// Images go least recently used first, and only as many as must; never one that a
// live process or a container uses, or that is kept. A layer goes before the image
// that it is laid over, and that one counts once.
func TestEvict(t *testing.T) {
	state := t.TempDir()
	past := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	maker := open(t, state)
	oldest := built(t, maker, state, sized(t, state, "oldest", from, 1), past)
	below := built(t, maker, state, sized(t, state, "below", from, 2), past.Add(time.Hour))
	layer := sized(t, state, "layer", "ARG BASE\nFROM ${BASE}\n", 1)
	layer.Base = below
	over := built(t, maker, state, layer, past.Add(2*time.Hour))
	newest := built(t, maker, state, sized(t, state, "newest", from, 1), past.Add(3*time.Hour))
	ctx, nothing := t.Context(), func(string) bool { return false }
	d := open(t, state)
	defer d.Close()
	if removed, err := d.Evict(ctx, 0, nothing); err != nil || len(removed) != 0 {
		t.Errorf("a live process uses all of them; removed %v, %v", removed, err)
	}
	if err := maker.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := d.Images(ctx, false, nil)
	if got := idsOf(all); err != nil || !slices.Equal(got, []string{oldest, over, below, newest}) {
		t.Fatalf("the images are %+v, %v", all, err)
	}
	for i, mib := range []int64{1, 1, 2, 1} {
		if size := all[i].Size >> 20; size != mib || all[i].InUse {
			t.Errorf("%s takes %d MiB alone, in use %v; want %d", all[i].Name, size, all[i].InUse, mib)
		}
	}
	const mib = 1<<20 + 1<<12 // a little more than the file
	for _, test := range []struct {
		budget int64
		want   []string
	}{{5 * mib, nil}, {4 * mib, []string{oldest}}, {2 * mib, []string{over, below}}} {
		removed, err := d.Evict(ctx, test.budget, nothing)
		if got := idsOf(removed); err != nil || !slices.Equal(got, test.want) {
			t.Fatalf("budget %d: removed %+v, %v; want %v", test.budget, removed, err, test.want)
		}
	}
	if removed, err := d.Evict(ctx, 0, func(id string) bool { return id == newest }); err != nil || len(removed) != 0 {
		t.Errorf("one that is kept: removed %v, %v", removed, err)
	}
	box, err := d.Start(ctx, trialSpec(newest, state))
	if err != nil {
		t.Fatal(err)
	}
	if removed, err := d.Evict(ctx, 0, nothing); err != nil || len(removed) != 0 {
		t.Errorf("one that a container uses: removed %v, %v", removed, err)
	}
	box.Close()
	if removed, err := d.Evict(ctx, 0, nothing); err != nil || !slices.Equal(idsOf(removed), []string{newest}) {
		t.Errorf("removed %v, %v", removed, err)
	}
	if left, _ := filepath.Glob(filepath.Join(state, "images", "*")); len(left) != 0 {
		t.Errorf("records of images that are gone: %v", left)
	}
}

// What others built on the engine, or gave a name of their own, stays.
func TestImagesOfOthers(t *testing.T) {
	state, other := t.TempDir(), t.TempDir()
	maker := open(t, state)
	named := built(t, maker, state, sized(t, state, "named", from, 1), time.Now())
	plain := built(t, maker, state, sized(t, state, "plain", from, 1), time.Now())
	maker.Close()
	dockerCommand(t, "tag", named, "kept-by-people:"+named[len(named)-12:])
	if all, err := look(t, other).Images(t.Context(), false, nil); err != nil || len(all) != 0 {
		t.Errorf("another state directory sees %+v, %v", all, err)
	}
	all, err := look(t, other).Images(t.Context(), true, nil)
	if got := idsOf(all); err != nil || !slices.Contains(got, plain) || slices.Contains(got, named) {
		t.Errorf("of everyone's it sees %+v, %v", all, err)
	}
	if err := look(t, state).Remove(t.Context(), docker.Thing{Kind: docker.KindImage, ID: "sha256:" + strings.Repeat("0", 64), Name: "none"}); err != nil {
		t.Errorf("what is gone is no error: %v", err)
	}
}

// An image that is being removed is not given to anyone, and one that is in use
// is not removed, even by who looked earlier.
func TestRemoveInUse(t *testing.T) {
	state := t.TempDir()
	d := open(t, state)
	defer d.Close()
	built(t, d, state, sized(t, state, "used", from, 1), time.Now())
	all, err := d.Images(t.Context(), false, nil)
	if err != nil || len(all) != 1 || !all[0].InUse {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := d.Remove(t.Context(), all[0]); !errors.Is(err, docker.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
}

// The limits of a sandbox are there when they are read from inside.
func TestProbeLimits(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	asked, found, err := d.ProbeLimits(context.Background())
	if err != nil || found.Memory == nil || *found.Memory != *asked.Memory || found.PIDs == nil || *found.PIDs != *asked.PIDs || found.CPUs == nil || *found.CPUs != *asked.CPUs {
		t.Errorf("asked for %v, found %v, %v", asked, found, err)
	}
	h := d.Host()
	if h.Engine == "" || h.API == "" || h.Storage == "" || h.Root == "" || len(h.Runtimes) == 0 || h.Ahead == nil {
		t.Errorf("the host is %+v", h)
	}
	networks, err := d.Networks(t.Context())
	if err != nil || !slices.ContainsFunc(networks, func(n docker.Network) bool { return n.Name == "bridge" }) {
		t.Errorf("the networks are %v, %v", networks, err)
	}
}
