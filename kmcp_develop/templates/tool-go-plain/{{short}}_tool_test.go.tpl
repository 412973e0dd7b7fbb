package main

import (
	"reflect"
	"testing"
)

func Test{{camel}}Answers(t *testing.T) {
	answer := call(t, "{{tool}}", map[string]any{"name": "Ada"})
	if want := map[string]any{"text": "Ada"}; !reflect.DeepEqual(answer.StructuredContent, want) {
		t.Errorf("%v, not %v", answer.StructuredContent, want)
	}
}
