package store

import (
	"fmt"
	"path/filepath"
	"reflect"

	"github.com/ml-dev-bench/bench/engine"
)

// Load reads a stored attempt and one of its grades from their files; g may be
// nil. It is an error if they are not what is remembered of them: a plan that
// was made with the one must not be carried out with the other.
func (s *Store) Load(st *engine.Stored, g *engine.StoredGrade) (*engine.Attempt, *engine.Grade, error) {
	dir := s.attemptDir(st.Trial, st.N)
	a, err := readRun(dir)
	if err != nil {
		return nil, nil, err
	}
	want := *st
	want.Grades = nil
	if got := storedOf(a); !reflect.DeepEqual(*got, want) {
		return nil, nil, fmt.Errorf("%s has changed since it was read", filepath.Join(dir, "run.json"))
	}
	if g == nil {
		return a, nil, nil
	}
	grade, err := readGrade(dir, g.N)
	if err != nil {
		return nil, nil, err
	}
	if storedGradeOf(a, grade, g.N) != *g {
		return nil, nil, fmt.Errorf("%s has changed since it was read", filepath.Join(dir, fmt.Sprintf("grade-%d", g.N), "grade.json"))
	}
	return a, grade, nil
}

// Keys are the keys of a stored attempt and of its latest grade, with their
// parts. One that cannot be read, or is not there, is zero.
func (s *Store) Keys(st *engine.Stored) (run, check engine.Key) {
	var file struct {
		Key engine.Key `json:"key"`
	}
	dir := s.attemptDir(st.Trial, st.N)
	if readJSON(filepath.Join(dir, "run.json"), &file) == nil {
		run = file.Key
	}
	if len(st.Grades) == 0 {
		return run, check
	}
	file.Key = engine.Key{}
	latest := st.Grades[len(st.Grades)-1]
	if readJSON(filepath.Join(dir, fmt.Sprintf("grade-%d", latest.N), "grade.json"), &file) == nil {
		check = file.Key
	}
	return run, check
}

// Attempts reads all attempts at a trial, oldest first, with the grades of each.
func (s *Store) Attempts(id engine.TrialID) ([]*engine.Attempt, [][]*engine.Grade, error) {
	var stored []*engine.Stored
	s.mu.Lock()
	if t := s.trials[id.Dir()]; t != nil {
		for _, a := range t.attempts {
			stored = append(stored, a.stored)
		}
	}
	s.mu.Unlock()
	var attempts []*engine.Attempt
	var grades [][]*engine.Grade
	for _, st := range stored {
		a, _, err := s.Load(st, nil)
		if err != nil {
			return nil, nil, err
		}
		var of []*engine.Grade
		for i := range st.Grades {
			_, g, err := s.Load(st, &st.Grades[i])
			if err != nil {
				return nil, nil, err
			}
			of = append(of, g)
		}
		attempts, grades = append(attempts, a), append(grades, of)
	}
	return attempts, grades, nil
}
