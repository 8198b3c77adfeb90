package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// A Log is what a journal says.
type Log struct {
	Records []Record
	Garbled []Garbled // lines that are none of ours; they are not among the records
	Torn    string    // what there is of a last line that was never finished; empty if all are whole
}

// A Garbled is a line that cannot be read.
type Garbled struct {
	Line int // counts from 1
	Err  error
}

func (g Garbled) Error() string { return fmt.Sprintf("line %d: %v", g.Line, g.Err) }

func (g Garbled) Unwrap() error { return g.Err }

// Read reads a journal to its end. A line that a crash has torn and lines that
// are garbled are reported in the log; the error is that of the reader alone.
func Read(r io.Reader) (*Log, error) {
	log := &Log{}
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			log.Torn = string(line)
			return log, nil
		}
		if err != nil {
			return log, err
		}
		record, err := decode(line)
		if err != nil {
			log.Garbled = append(log.Garbled, Garbled{n, err})
			continue
		}
		log.Records = append(log.Records, record)
	}
}

// head is how every line begins.
type head struct {
	Seq   int       `json:"seq"`
	At    time.Time `json:"at"`
	Event string    `json:"event"`
}

// encode makes a line of a record: the head, and then the fields of the event in
// the same object, so that tools need no second level.
func encode(r Record) ([]byte, error) {
	line, err := json.Marshal(head{r.Seq, r.At.UTC(), r.Event.kind()})
	if err != nil {
		return nil, err
	}
	fields, err := json.Marshal(r.Event)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", r.Event.kind(), err)
	}
	line = append(line[:len(line)-1], ',')
	return append(append(line, fields[1:]...), '\n'), nil
}

func decode(line []byte) (Record, error) {
	var h head
	if err := json.Unmarshal(line, &h); err != nil {
		return Record{}, err
	}
	read, ok := readers[h.Event]
	if !ok {
		return Record{}, fmt.Errorf("there is no event %q", h.Event)
	}
	event, err := read(line)
	if e, ok := event.(TrialEnded); ok && err == nil && (e.Trial == engine.TrialID{} || e.Outcome.Status == engine.StatusInvalid) {
		err = errors.New("a trial ends with its id and an outcome")
	}
	return Record{h.Seq, h.At, event}, err
}

// readers has the way back of every event.
var readers = map[string]func([]byte) (Event, error){
	RunStarted{}.kind():    read[RunStarted],
	StepStarted{}.kind():   read[StepStarted],
	StepEnded{}.kind():     read[StepEnded],
	TrialEnded{}.kind():    read[TrialEnded],
	GateEnded{}.kind():     read[GateEnded],
	ReportWritten{}.kind(): read[ReportWritten],
	RunEnded{}.kind():      read[RunEnded],
}

func read[E Event](line []byte) (Event, error) {
	var e E
	err := json.Unmarshal(line, &e)
	return e, err
}
