package lang

import (
	"fmt"
	"net/netip"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/ml-dev-bench/bench/engine"
)

// sandbox decodes a sandbox block once.
func (s *scope) sandbox(name string) *engine.Sandbox {
	if out, ok := s.sandboxes[name]; ok {
		return out
	}
	b := s.open(s.blocks["sandbox"][name], sandboxSpec)
	out := &engine.Sandbox{
		Name: name, CPUs: 1, Memory: 2 << 30, PIDs: 512, Network: engine.NetworkGateway,
		User: engine.DefaultUser, Workdir: "/workspace", Timeouts: engine.DefaultTimeouts, Pos: pos(b.rng),
	}
	s.sandboxes[name] = out
	b.image(out)
	if v, ok := b.number("cpus", 0.01, 4096); ok {
		out.CPUs = v
	}
	if v, ok := b.memory(); ok {
		out.Memory = v
	}
	if v, ok := b.whole("pids", 8, 1<<22); ok {
		out.PIDs = int64(v)
	}
	if v, ok := b.whole("gpus", 0, 1024); ok {
		out.GPUs = int(v)
	}
	out.Platform = b.platform()
	out.Runtime = b.runtime()
	b.network(out)
	out.Env = b.env("env")
	if v, ok := b.str("user"); ok {
		if out.User, ok = parseUser(v); !ok {
			s.errorAt(b.place("user"), "V09", fmt.Sprintf("unusable user %q", v), "Write a number such as \"1000\" or \"1000:1000\", or \"root\". Names of an image are not used.")
		}
	}
	if v := b.target("workdir"); v != "" {
		out.Workdir = v
	}
	b.mounts(out)
	for _, service := range b.named("service") {
		out.Services = append(out.Services, service.service())
	}
	out.Lock = b.lock()
	b.timeouts(&out.Timeouts)
	return out
}

// memory reads how much memory a container gets.
func (b *body) memory() (int64, bool) {
	v, ok := b.size("memory")
	if ok && v < 16<<20 {
		b.errorAt(b.place("memory"), "V09", "memory is out of range", "A container needs at least 16MiB.")
	}
	return v, ok
}

func (b *body) platform() string {
	v, ok := b.str("platform")
	if parts := strings.Split(v, "/"); ok && (len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "")) {
		b.errorAt(b.place("platform"), "V09", fmt.Sprintf("unusable platform %q", v), "Write system and architecture, such as \"linux/amd64\".")
	}
	return v
}

var runtimeForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// runtime reads the name of a runtime. Which ones there are, the engine says when
// apply starts.
func (b *body) runtime() string {
	v, ok := b.str("runtime")
	if ok && !runtimeForm.MatchString(v) {
		b.errorAt(b.place("runtime"), "V09", fmt.Sprintf("unusable runtime %q", v), "Write the name of a runtime of the engine, such as \"runsc\".")
	}
	return v
}

// network reads what the sandbox can reach.
func (b *body) network(out *engine.Sandbox) {
	v, ok := b.choice("network", string(engine.NetworkNone), string(engine.NetworkGateway), string(engine.NetworkOpen))
	if ok {
		out.Network = engine.Network(v)
	}
	hosts, given := b.stringList("allow_hosts", kStrings)
	if !given {
		return
	}
	if out.Network != engine.NetworkGateway {
		b.errorAt(b.attrs["allow_hosts"].NameRange, "V07", "allow_hosts has no use here", "It opens the network \"gateway\" for some hosts, and this network is %q. Remove one of the two.", out.Network)
	}
	for i, h := range hosts {
		if !isHostName(h) {
			b.errorAt(b.item("allow_hosts", i), "V09", fmt.Sprintf("unusable host %q", h), "Write a name such as \"example.org\" in ASCII, without a scheme, port, path or wildcard. An address is no name.")
		}
	}
	out.Allow = hosts
}

// isHostName reports whether a host can be asked for by a name.
func isHostName(h string) bool {
	_, err := netip.ParseAddr(h)
	return err != nil && h != "" && !strings.ContainsFunc(h, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/:@*?[]", r) })
}

// mounts reads directories of the host that the sandbox shows, each at a place
// of its own.
func (b *body) mounts(out *engine.Sandbox) {
	first := map[string]hcl.Range{out.Workdir: b.place("workdir")}
	for _, inner := range b.each("mount") {
		m := inner.mount()
		before, twice := first[m.Target]
		switch {
		case m.Target == "":
		case m.Target == out.Workdir:
			inner.errorAt(inner.place("target"), "V03", fmt.Sprintf("%s is the workspace", m.Target), "A mount there would hide what the agent is to work on. Choose another target, or another workdir.")
		case twice:
			inner.errorAt(inner.place("target"), "V03", fmt.Sprintf("two mounts at %s", m.Target), "The other one is at %s. Give one of them another target.", at(before))
		default:
			first[m.Target] = inner.place("target")
		}
		out.Mounts = append(out.Mounts, m)
	}
}

// mount reads a directory of the host. Sources outside of the root need a power,
// which apply asks for.
func (b *body) mount() *engine.Mount {
	out := &engine.Mount{ReadOnly: b.flag("read_only", true), Pos: pos(b.rng), Target: b.target("target")}
	v, ok := b.str("source")
	if !ok {
		return out
	}
	if filepath.IsAbs(v) {
		out.Outside, out.Source = true, filepath.Clean(v)
		if rel, ok := inRoot(b.rootDir, out.Source); ok {
			out.Outside, out.Source = false, filepath.ToSlash(rel)
		}
	} else if _, err := resolvePath(b.file, v); err != nil && v != "" {
		b.errorAt(b.place("source"), "V09", "unusable path", "%s. What lies outside of it is mounted by its absolute path, with --allow mount.host=PATH.", upperFirst(err.Error()))
	} else {
		out.Source, _ = b.cleanPath(v, b.place("source"))
	}
	if out.Source != "" && !out.Outside {
		b.stat(out.Source, b.place("source"))
	}
	return out
}

// target reads an absolute path in a sandbox that is free for use.
func (b *body) target(name string) string {
	v, ok := b.str(name)
	if ok && (!path.IsAbs(v) || path.Clean(v) != v || v == "/" || reservedDir(v)) {
		b.errorAt(b.place(name), "V09", fmt.Sprintf("unusable %s %q", name, v), "Write an absolute path such as \"/data\"; it may not be a directory that the system or bench needs.")
	}
	return v
}

func (b *body) service() *engine.Service {
	out := &engine.Service{Name: b.label, Image: engine.Image{Ref: b.imageRef()}, Env: b.env("env"), Command: b.command("command"), Timeout: time.Minute, Pos: pos(b.rng)}
	out.Image.Pin = b.pins[out.Image.Ref]
	if v, ok := b.memory(); ok {
		out.Memory = v
	}
	if ready := b.one("ready"); ready != nil {
		out.Ready = ready.command("command")
		if d, ok := ready.duration("timeout"); ok {
			out.Timeout = d
		}
	}
	return out
}

// imageRef reads the name of an image.
func (b *body) imageRef() string {
	ref, ok := b.str("image")
	if ok && (ref == "" || strings.ContainsAny(ref, " \t\n")) {
		b.errorAt(b.place("image"), "V09", "unusable image", "Write the name of an image, such as \"debian:trixie-slim\".")
	}
	return ref
}

// reservedDir reports whether nothing may be put at an absolute path.
func reservedDir(p string) bool {
	first, _, _ := strings.Cut(p[1:], "/")
	return slices.Contains([]string{".bench", "bench", "bin", "boot", "check", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "setup", "solution", "sys", "usr"}, first)
}

func parseUser(s string) (engine.User, bool) {
	if s == "root" {
		return engine.Root, true
	}
	uid, gid, two := strings.Cut(s, ":")
	u, err := strconv.ParseUint(uid, 10, 31)
	g := u
	if two && err == nil {
		g, err = strconv.ParseUint(gid, 10, 31)
	}
	return engine.User{UID: int(u), GID: int(g)}, err == nil
}

func (b *body) timeouts(t *engine.Timeouts) {
	inner := b.one("timeouts")
	if inner == nil {
		return
	}
	for name, into := range map[string]*time.Duration{"pull": &t.Pull, "build": &t.Build, "start": &t.Start, "setup": &t.Setup, "stop": &t.Stop} {
		if d, ok := inner.duration(name); ok {
			*into = d
		}
	}
}

func (b *body) image(out *engine.Sandbox) {
	build := b.one("build")
	if b.has("image") == b.has("build") {
		b.errorAt(b.rng, "V07", "a sandbox has either an image or a build", "Give exactly one of the two.")
		return
	}
	if build == nil {
		out.Image.Ref = b.imageRef()
		out.Image.Pin = b.pins[out.Image.Ref]
		return
	}
	def := build.build()
	def.Target, _ = build.str("target")
	out.Image.Build = def
}
