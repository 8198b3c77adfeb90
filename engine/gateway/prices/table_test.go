package prices

import (
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, rows, want string }{
		{"a price that is none", "p,m,,,,1e3,2,,,,,s", `row 2: "1e3" is no price`},
		{"a negative price", "p,m,,,,1,-2,,,,,s", `row 2: "-2" is no price`},
		{"no price of output", "p,m,,,,1,,,,,,s", `row 2: "" is no price`},
		{"a date that is none", "p,m,,2026-02-30,,1,2,,,,,s", "row 2: parsing time"},
		{"a size that is none", "p,m,,,-5,1,2,,,,,s", `row 2: "-5" is no size`},
		{"a column too few", "p,m,,,,1,2,,,,s", "wrong number of fields"},
		{"twice", "p,m,,,,1,2,,,,,s\np,M,,,,1,2,,,,,s", "row 3: M of p is there twice"},
		{"nothing for all times", "p,m,,2026-02-03,,1,2,,,,,s", "row 2: m of p is there twice, or out of order"},
		{"dates in the wrong order", "p,m,,,,1,2,,,,,s\np,m,,2026-02-03,,1,2,,,,,s\np,m,,2026-02-01,,1,2,,,,,s", "row 4: m of p"},
		{"a size before the price", "p,m,,,5,1,2,,,,,s", "row 2: m of p"},
		{"sizes in the wrong order", "p,m,,,,1,2,,,,,s\np,m,,,6,1,2,,,,,s\np,m,,,5,1,2,,,,,s", "row 4: m of p"},
		{"a size of another date", "p,m,,,,1,2,,,,,s\np,m,,2026-02-03,5,1,2,,,,,s", "row 3: m of p"},
		{"an alias that is an id", "p,m,n,,,1,2,,,,,s\np,n,,,,1,2,,,,,s", "n of p is the name of two models"},
		{"an alias of two", "p,m,x,,,1,2,,,,,s\np,n,x,,,1,2,,,,,s", "x of p is the name of two models"},
	} {
		_, err := parse(columns + "\n" + tt.rows + "\n")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := parse("provider,id\n"); err == nil {
		t.Error("other columns are taken")
	}
	if _, err := parse(columns + "\np,m,x y,,,1,2,,,,,s\nq,m,x,,,1,2,,,,,s\n"); err != nil {
		t.Error(err)
	}
}
