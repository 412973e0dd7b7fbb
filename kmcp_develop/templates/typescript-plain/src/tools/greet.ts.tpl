/** Greetings. */

import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { failure } from '../failure.js';

const NAME = '{{package}}_greet';

export function register(server: McpServer): void {
  server.registerTool(
    NAME,
    {
      title: 'Greet',
      description: 'Greet somebody by name; use it to see that the server answers.',
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      inputSchema: z.strictObject({ name: z.string().describe('Whom to greet') }),
      outputSchema: z.object({ text: z.string().describe('The greeting') }),
    },
    ({ name }) => {
      if (name.trim() === '') return failure('bad_argument', 'name is empty', 'give the name of somebody');
      const answer = { text: `Hello, ${name}!` };
      return { content: [{ type: 'text', text: JSON.stringify(answer) }], structuredContent: answer };
    },
  );
}
