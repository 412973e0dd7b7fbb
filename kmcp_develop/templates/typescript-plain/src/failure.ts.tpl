/** What a tool answers when it cannot do what it was asked for. */

import type { CallToolResult } from '@modelcontextprotocol/server';

export type Code = 'bad_argument' | 'not_found' | 'forbidden' | 'conflict' | 'unavailable' | 'timed_out';

/** `message` names the cause, `hint` the next step; both are for the caller to read. */
export function failure(code: Code, message: string, hint: string): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: JSON.stringify({ code, message, hint }) }] };
}
