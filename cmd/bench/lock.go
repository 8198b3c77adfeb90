package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
)

func newLockCmd(a *app) *cobra.Command {
	var f suiteFlags
	var check bool
	cmd := &cobra.Command{
		Use:   "lock FILE",
		Short: "Pin the images of a suite in " + lang.LockFile,
		Long: "lock asks what the image tags of a suite mean now, and writes it to " + lang.LockFile + "\nat the project root. From then on exactly these images are used. Pins of other\nsuites stay as they are.\n\n" +
			"An image that no registry has is pinned by its id, which holds on this engine\nalone. What a Dockerfile builds is pinned by its own digests.",
		Args:              oneFile,
		ValidArgsFunction: completeArgs(benchfiles),
		RunE:              func(_ *cobra.Command, args []string) error { return a.lock(args[0], &f, check) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit with 5 if a tag means something else by now")
	return cmd
}

func (a *app) lock(file string, f *suiteFlags, check bool) error {
	session, sources, err := a.open(file, f)
	if err != nil {
		return err
	}
	suite := session.Suite
	driver, err := openEngine(context.Background())
	if err != nil {
		return err
	}
	defer driver.Close()
	var found []lang.Pin
	for _, ref := range imageRefs(suite) {
		pin, err := driver.Pin(context.Background(), ref)
		if err != nil {
			return cannot(err)
		}
		found = append(found, lang.Pin{Ref: ref, To: pin})
	}
	if check {
		return a.checkLock(found, sources.Pins())
	}
	return a.writeLock(suite, found, sources.Pins())
}

// imageRefs lists the images that a suite names, sorted.
func imageRefs(s *engine.Suite) []string {
	var refs []string
	for _, c := range s.Cases {
		refs = append(refs, c.Sandbox.Image.Ref)
		for _, service := range c.Sandbox.Services {
			refs = append(refs, service.Image.Ref)
		}
	}
	slices.Sort(refs)
	return slices.DeleteFunc(slices.Compact(refs), func(ref string) bool { return ref == "" })
}

// checkLock says which tags mean something else than what is locked.
func (a *app) checkLock(found []lang.Pin, locked map[string]string) error {
	differs := false
	for _, p := range found {
		switch before, ok := locked[p.Ref]; {
		case !ok:
			fmt.Fprintf(a.stdout, "%s is not locked; it means %s\n", p.Ref, p.To)
		case before != p.To:
			fmt.Fprintf(a.stdout, "%s was %s, and means %s now\n", p.Ref, before, p.To)
		default:
			continue
		}
		differs = true
	}
	if differs {
		return exitWith(exitDiffers)
	}
	fmt.Fprintf(a.stdout, "%s: %s as locked\n", lang.LockFile, plural(len(found), "image"))
	return nil
}

func (a *app) writeLock(suite *engine.Suite, found []lang.Pin, locked map[string]string) error {
	all := slices.Clone(found)
	for ref, pin := range locked {
		if !slices.ContainsFunc(found, func(p lang.Pin) bool { return p.Ref == ref }) {
			all = append(all, lang.Pin{Ref: ref, To: pin})
		}
	}
	slices.SortFunc(all, func(x, y lang.Pin) int { return cmp.Compare(x.Ref, y.Ref) })
	file := inRoot(suite, lang.LockFile)
	text := lang.FormatLock(all)
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cannot(err)
	}
	for _, p := range found {
		fmt.Fprintln(a.stdout, p)
	}
	if bytes.Equal(before, text) {
		fmt.Fprintf(a.stdout, "%s is up to date.\n", lang.LockFile)
		return nil
	}
	err = writeFile(file, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return cannot(err)
	}
	fmt.Fprintf(a.stdout, "%s written. Commit it.\n", lang.LockFile)
	return nil
}
