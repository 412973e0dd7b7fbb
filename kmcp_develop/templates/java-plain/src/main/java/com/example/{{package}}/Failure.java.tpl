package com.example.{{package}};

import java.util.Map;

/** What a tool throws when it cannot do what it was asked for; the caller reads all of it. */
public final class Failure extends Exception {
    private static final long serialVersionUID = 1L;

    /** The kind of failure, as programs read it. */
    public enum Code {
        bad_argument,
        not_found,
        forbidden,
        conflict,
        unavailable,
        timed_out,
        internal
    }

    private final Code code;
    private final String hint;

    /** The message names the cause, the hint the next step. */
    public Failure(Code code, String message, String hint) {
        super(message);
        this.code = code;
        this.hint = hint;
    }

    Map<String, Object> body() {
        return Map.of("code", code.name(), "message", getMessage(), "hint", hint);
    }
}
