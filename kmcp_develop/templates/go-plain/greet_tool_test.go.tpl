package main

import (
	"reflect"
	"testing"
)

func TestANameIsGreeted(t *testing.T) {
	answer := call(t, "{{package}}_greet", map[string]any{"name": "Ada"})
	if want := map[string]any{"text": "Hello, Ada!"}; !reflect.DeepEqual(answer.StructuredContent, want) {
		t.Errorf("%v, not %v", answer.StructuredContent, want)
	}
}

func TestWhatCannotBeGreetedIsRefused(t *testing.T) {
	for _, given := range []map[string]any{{"nam": "Ada"}, {"name": " "}} {
		if answer := call(t, "{{package}}_greet", given); !answer.IsError {
			t.Errorf("%v was not refused", given)
		}
	}
}
