package json

import (
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// The objects of the document. Their meaning is in results.schema.json, next to
// this file; the two are changed together.

type document struct {
	Schema   string         `json:"schema"`
	Bench    engine.Version `json:"version"`
	Origin   *engine.Origin `json:"origin,omitempty"`
	Suite    suite          `json:"suite"`
	Began    *time.Time     `json:"began,omitempty"`
	Ended    *time.Time     `json:"ended,omitempty"`
	Exit     engine.Exit    `json:"exit"`
	Totals   totals         `json:"totals"`
	Gates    []gate         `json:"gates"`
	Matrices []matrix       `json:"matrices"`
	Findings []finding      `json:"image_findings,omitempty"`
	Trials   []trial        `json:"trials"`
}

type suite struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Seed        uint64          `json:"seed"`
	Sources     []engine.Source `json:"sources"`
}

type finding struct {
	Step engine.StepID `json:"step"`
	engine.Finding
}

type gate struct {
	Name      string           `json:"name"`
	Judgement engine.Judgement `json:"judgement"`
	Severity  engine.Severity  `json:"severity"`
	Condition string           `json:"condition,omitempty"`
	Message   string           `json:"message,omitempty"`
	Values    []gateValue      `json:"values"`
}

type gateValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type matrix struct {
	Name   string  `json:"name"`
	Totals totals  `json:"totals"`
	Agents []agent `json:"agents"`
}

type agent struct {
	Agent  string `json:"agent"`
	Model  string `json:"model,omitempty"`
	Totals totals `json:"totals"`
}

type totals struct {
	Trials    int      `json:"trials"`
	Passed    int      `json:"passed"`
	Failed    int      `json:"failed"`
	Errored   int      `json:"errored"`
	Skipped   int      `json:"skipped"`
	Cancelled int      `json:"cancelled"`
	Reused    int      `json:"reused"`
	Retried   int      `json:"retried"`
	Tries     int      `json:"tries"`
	Complete  bool     `json:"complete"`
	PassRate  *float64 `json:"pass_rate,omitempty"`
	Score     *float64 `json:"score,omitempty"`
	P50       *float64 `json:"p50_seconds,omitempty"`
	Total     *float64 `json:"total_seconds,omitempty"`

	FirstPassed   int      `json:"first_try_passed"`
	FirstFailed   int      `json:"first_try_failed"`
	FirstPassRate *float64 `json:"first_try_pass_rate,omitempty"`

	Cost         *float64 `json:"cost_usd,omitempty"`
	CostVerdicts *float64 `json:"verdicts_cost_usd,omitempty"`
	CostTrouble  *float64 `json:"trouble_cost_usd,omitempty"`
	Tokens       *int64   `json:"tokens,omitempty"`

	Metrics []metricTotals `json:"metrics"`
}

type metricTotals struct {
	Name string  `json:"name"`
	Unit string  `json:"unit,omitempty"`
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

type trial struct {
	ID       string         `json:"id"`
	Matrix   string         `json:"matrix"`
	Case     string         `json:"case"`
	Category string         `json:"category,omitempty"`
	Agent    string         `json:"agent"`
	Model    string         `json:"model,omitempty"`
	Axes     []axis         `json:"axes,omitempty"`
	N        int            `json:"n"`
	Seed     uint64         `json:"seed"`
	Assets   engine.Variant `json:"assets,omitempty"`
	Status   engine.Status  `json:"status"`
	Reason   engine.Reason  `json:"reason,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Cause    engine.StepID  `json:"cause,omitempty"`
	Reused   bool           `json:"reused"`

	FirstStatus engine.Status `json:"first_try_status"`
	FirstReason engine.Reason `json:"first_try_reason,omitempty"`
	Tries       int           `json:"tries"`
	Earlier     []try         `json:"earlier"`

	Attempt  int           `json:"attempt,omitempty"`
	Score    *float64      `json:"score,omitempty"`
	Began    *time.Time    `json:"began,omitempty"`
	Ended    *time.Time    `json:"ended,omitempty"`
	Took     *float64      `json:"took_seconds,omitempty"`
	Cost     *float64      `json:"cost_usd,omitempty"`
	Tokens   *int64        `json:"tokens,omitempty"`
	Models   *modelUse     `json:"model_use,omitempty"`
	Exit     *int          `json:"exit,omitempty"`
	Usage    *usage        `json:"usage,omitempty"`
	Checks   []check       `json:"checks"`
	Changed  []string      `json:"protected_changes"`
	Left     []string      `json:"left_out"`
	RunKey   engine.Digest `json:"run_key,omitzero"`
	CheckKey engine.Digest `json:"check_key,omitzero"`
	Image    string        `json:"image,omitempty"`
	Services []service     `json:"services,omitempty"`

	Weaknesses []string `json:"weaknesses,omitempty"`

	Version *engine.Version `json:"version,omitempty"`
	Origin  *engine.Origin  `json:"origin,omitempty"`
}

// modelUse is what the trial asked of its model, as the gateway counted it. What is
// not known is left out.
type modelUse struct {
	Requests   int64    `json:"requests"`
	Turns      int64    `json:"turns"`
	Refused    int64    `json:"refused"`
	Input      *int64   `json:"input_tokens,omitempty"`
	CacheRead  *int64   `json:"cache_read_tokens,omitempty"`
	CacheWrite *int64   `json:"cache_write_tokens,omitempty"`
	Output     *int64   `json:"output_tokens,omitempty"`
	Reasoning  *int64   `json:"reasoning_tokens,omitempty"`
	Served     []string `json:"served_models"`
	Waited     float64  `json:"waited_seconds"`
}

type try struct {
	Attempt int           `json:"attempt"`
	Status  engine.Status `json:"status"`
	Reason  engine.Reason `json:"reason,omitempty"`
	Detail  string        `json:"detail,omitempty"`
	Took    *float64      `json:"took_seconds,omitempty"`
	Cost    *float64      `json:"cost_usd,omitempty"`
	Tokens  *int64        `json:"tokens,omitempty"`
}

type service struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	Exit  *int   `json:"exit,omitempty"`
}

type axis struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type usage struct {
	CPU        *float64 `json:"cpu_seconds,omitempty"`
	PeakMemory *int64   `json:"peak_memory_bytes,omitempty"`
	OOMKills   *int64   `json:"oom_kills,omitempty"`
	AtLimit    *bool    `json:"memory_at_limit,omitempty"`
}

type check struct {
	Name    string   `json:"name"`
	Passed  bool     `json:"passed"`
	Score   *float64 `json:"score,omitempty"`
	Weight  *float64 `json:"weight,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	Output  string   `json:"output,omitempty"`
	Took    *float64 `json:"took_seconds,omitempty"`
	Metrics []metric `json:"metrics"`
}

type metric struct {
	Name        string  `json:"name"`
	Value       float64 `json:"value"`
	Unit        string  `json:"unit,omitempty"`
	Description string  `json:"description,omitempty"`
}
