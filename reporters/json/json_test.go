package json_test

import (
	"bytes"
	stdjson "encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ml-dev-bench/bench/reporters/json"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
)

func TestConformance(t *testing.T) { reportertest.Run(t, json.Reporter{}) }

func TestGolden(t *testing.T) {
	for name, build := range reportertest.Runs() {
		t.Run(name, func(t *testing.T) {
			reportertest.Golden(t, name+".json", reportertest.Report(t, json.Reporter{}, build()))
		})
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(json.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("results.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("results.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGoldensAreValid(t *testing.T) {
	schema := compile(t)
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < len(reportertest.Runs()) {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A schema that accepts everything proves nothing: each of these is wrong in
// one way.
func TestWrongDocumentsAreRefused(t *testing.T) {
	schema := compile(t)
	for name, spoil := range map[string]func(doc map[string]any){
		"unknown field":         func(d map[string]any) { d["extra"] = 1 },
		"other version":         func(d map[string]any) { d["schema"] = "bench.results/2" },
		"no totals":             func(d map[string]any) { delete(d, "totals") },
		"null for an unknown":   func(d map[string]any) { d["totals"].(map[string]any)["pass_rate"] = nil },
		"formatted number":      func(d map[string]any) { d["totals"].(map[string]any)["passed"] = "4" },
		"rate above one":        func(d map[string]any) { d["totals"].(map[string]any)["pass_rate"] = 50 },
		"local time":            func(d map[string]any) { d["began"] = "2026-03-14T09:26:53+01:00" },
		"no time at all":        func(d map[string]any) { d["ended"] = "laterZ" },
		"unknown status":        func(d map[string]any) { trial(d)["status"] = "lucky" },
		"field of a trial":      func(d map[string]any) { trial(d)["luck"] = 1 },
		"short key":             func(d map[string]any) { trial(d)["run_key"] = "abc" },
		"no list of checks":     func(d map[string]any) { trial(d)["checks"] = nil },
		"score without verdict": func(d map[string]any) { trial(d)["status"] = "errored" },
		"no gates":              func(d map[string]any) { delete(d, "gates") },
		"unknown judgement":     func(d map[string]any) { gate(d)["judgement"] = "lucky" },
		"unknown severity":      func(d map[string]any) { gate(d)["severity"] = "note" },
		"negative cost":         func(d map[string]any) { d["totals"].(map[string]any)["cost_usd"] = -1 },
		"field of a try":        func(d map[string]any) { earlier(d)["luck"] = 1 },
		"try without a number":  func(d map[string]any) { delete(earlier(d), "attempt") },
		"no first try":          func(d map[string]any) { delete(trial(d), "first_try_status") },
		"empty origin":          func(d map[string]any) { d["origin"] = map[string]any{} },
		"empty usage":           func(d map[string]any) { trial(d)["usage"] = map[string]any{} },
	} {
		t.Run(name, func(t *testing.T) {
			var doc map[string]any
			if err := stdjson.Unmarshal([]byte(reportertest.Report(t, json.Reporter{}, reportertest.Eventful())), &doc); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Fatalf("before it was spoiled: %v", err)
			}
			spoil(doc)
			if schema.Validate(doc) == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

func trial(doc map[string]any) map[string]any { return doc["trials"].([]any)[0].(map[string]any) }

func gate(doc map[string]any) map[string]any { return doc["gates"].([]any)[0].(map[string]any) }

func earlier(doc map[string]any) map[string]any {
	return trial(doc)["earlier"].([]any)[0].(map[string]any)
}

// Every object of the schema that lists properties must be closed.
func TestSchemaIsClosed(t *testing.T) {
	var doc any
	if err := stdjson.Unmarshal(json.Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["type"] == "object" && v["additionalProperties"] != false {
				t.Errorf("%s is open", path)
			}
			for k, child := range v {
				walk(path+"/"+k, child)
			}
		case []any:
			for _, child := range v {
				walk(path+"/[]", child)
			}
		}
	}
	walk("", doc)
}

// Seeds have 64 bits, so they must not go through a float on the way out.
func TestSeedIsExact(t *testing.T) {
	run := reportertest.Example()
	run.Results[0].Trial.Seed = 18446744073709551557
	if got := reportertest.Report(t, json.Reporter{}, run); !strings.Contains(got, `"seed": 18446744073709551557`) {
		t.Error("the seed is not in the document as it is")
	}
}

func TestSchemaIsACopy(t *testing.T) {
	json.Schema()[0] = 'x'
	if json.Schema()[0] != '{' {
		t.Error("a caller can change the schema")
	}
}
