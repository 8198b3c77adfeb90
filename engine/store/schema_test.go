package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// threeLayouts are made up: in the second one notes.txt is called note.txt, and
// in the third it ends with a line.
func threeLayouts(fail error) schemas {
	return schemas{3, map[int]migration{
		1: func(dir string) error {
			err := os.Rename(filepath.Join(dir, "notes.txt"), filepath.Join(dir, "note.txt"))
			if errors.Is(err, os.ErrNotExist) {
				return nil // done by one that died then
			}
			return err
		},
		2: func(dir string) error {
			if fail != nil {
				return fail
			}
			return os.WriteFile(filepath.Join(dir, "note.txt"), []byte("keep\n"), 0o644)
		},
	}}
}

func resultsOf(t *testing.T, marker string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"notes.txt": "keep", "bench.json": marker} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func fileOf(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "none"
	}
	return string(text)
}

func TestMigrate(t *testing.T) {
	dir := resultsOf(t, `{"schema": 1}`)
	for range 2 { // the second time there is nothing to do
		if err := threeLayouts(nil).open(dir); err != nil {
			t.Fatal(err)
		}
		if got := fileOf(dir, "note.txt") + fileOf(dir, "notes.txt") + fileOf(dir, "bench.json"); got != "keep\nnone{\n  \"schema\": 3\n}\n" {
			t.Errorf("got %q", got)
		}
	}
	// This bench does not know that layout, and says so.
	var version *VersionError
	if _, err := Open(dir, "suite"); !errors.As(err, &version) || !strings.Contains(err.Error(), "layout 3, and this bench reads layout 1; nothing in it was touched. A newer bench has made it") {
		t.Errorf("got %v", err)
	}
}

// What fails half-way goes on from there.
func TestMigrateFails(t *testing.T) {
	dir := resultsOf(t, `{"schema": 1}`)
	fail := errors.New("no room")
	err := threeLayouts(fail).open(dir)
	if want := "is in layout 2, and could not be brought into layout 3: no room. Nothing is lost"; !errors.Is(err, fail) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if got := fileOf(dir, "bench.json"); !strings.Contains(got, "2") {
		t.Errorf("the marker says %s, want that the first step is done", got)
	}
	if err := threeLayouts(nil).open(dir); err != nil || fileOf(dir, "note.txt") != "keep\n" {
		t.Errorf("the next time: got %v", err)
	}
}

// A bench at work in the old layout must not lose it.
func TestMigrateWaitsForTheLock(t *testing.T) {
	dir := resultsOf(t, `{"schema": 1}`)
	lock, err := acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	var held *LockedError
	if err := threeLayouts(nil).open(dir); !errors.As(err, &held) || fileOf(dir, "notes.txt") != "keep" {
		t.Errorf("got %v, want it to be locked", err)
	}
	if err := release(lock); err != nil {
		t.Fatal(err)
	}
	if err := threeLayouts(nil).open(dir); err != nil {
		t.Error(err)
	}
}

func TestNoWayFrom(t *testing.T) {
	for marker, want := range map[string]string{
		`{"schema": 0}`:  "does not say in which layout it was written, and this bench reads layout 3; nothing in it was touched. If bench has made it, its bench.json is damaged",
		`{"schema": 1`:   "does not say in which layout it was written",
		`{"schema": -1}`: "does not say in which layout it was written",
		`{"schema": 4}`:  "was written in layout 4, and this bench reads layout 3; nothing in it was touched. A newer bench has made it, and can read it. Move it away",
	} {
		dir := resultsOf(t, marker)
		if err := threeLayouts(nil).open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", marker, err, want)
		}
		if fileOf(dir, "bench.json") != marker || fileOf(dir, "lock") != "none" {
			t.Errorf("%s: it was touched", marker)
		}
	}
}
