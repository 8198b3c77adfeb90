package journal

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine/store/storetest"
)

func TestFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s", "runs")
	if ids, err := Runs(dir); ids != nil || err != nil {
		t.Errorf("before any: got %v, %v", ids, err)
	}
	first, second := NewID(at), NewID(at.Add(time.Millisecond))
	for _, id := range []string{second, first} {
		w, err := Create(dir, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range run() {
			if err := w.Write(e, at.In(time.FixedZone("elsewhere", 3600))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		log, err := Load(dir, id)
		if diff := cmp.Diff(&Log{Records: numbered(run())}, log); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if w.Path() != filepath.Join(dir, id+".ndjson") {
			t.Errorf("it lies at %s", w.Path())
		}
	}
	if form := regexp.MustCompile(`^20260102T030405\.000Z-[0-9a-f]{8}$`); !form.MatchString(first) {
		t.Errorf("the run is called %s", first)
	}
	if ids, err := Runs(dir); err != nil || !slices.Equal(ids, []string{first, second}) {
		t.Errorf("got %v, %v, want the oldest first", ids, err)
	}
	if _, err := Create(dir, first); err == nil {
		t.Error("a second journal of the same run: want an error")
	}
	if _, err := Load(dir, "another"); err == nil {
		t.Error("a run without a journal: want an error")
	}
}

// Events of many workers become whole lines, numbered as they stand.
func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, "r")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if err := w.Write(GateEnded{Gate: "g"}, at); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	log, err := Load(dir, "r")
	if err != nil || len(log.Records) != 800 || log.Garbled != nil || log.Torn != "" {
		t.Fatalf("got %d records, %v, %q, %v", len(log.Records), log.Garbled, log.Torn, err)
	}
	for i, r := range log.Records {
		if r.Seq != i+1 {
			t.Fatalf("record %d has number %d", i+1, r.Seq)
		}
	}
}

// A disk that is full in the middle of a line leaves whole lines only, and the
// journal goes on when there is room again. The full disk is a real one.
func TestFullDisk(t *testing.T) {
	disk := storetest.NewDisk(t, 64<<10)
	dir := filepath.Join(disk.Dir, "runs")
	w, err := Create(dir, "r")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ballast := filepath.Join(disk.Dir, "something else")
	if err := os.WriteFile(ballast, make([]byte, 16<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	long := GateEnded{Gate: "g", Message: string(make([]byte, 500))}
	var full error
	written := 0
	for ; full == nil && written < 1000; written++ {
		full = w.Write(long, at)
	}
	if full == nil {
		t.Fatal("the disk did not get full")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(RunEnded{}, at); err != nil {
		t.Fatal(err)
	}
	log, err := Load(dir, "r")
	if err != nil || len(log.Records) != written || log.Garbled != nil || log.Torn != "" {
		t.Fatalf("got %d records, %v, %q, %v; want %d", len(log.Records), log.Garbled, log.Torn, err, written)
	}
	if last := log.Records[written-1]; last.Seq != written || last.Event != (RunEnded{}) {
		t.Errorf("the last one is %v", last)
	}
}
