/** {{title}}. */

import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const NAME = '{{tool}}';

export function register(server: McpServer): void {
  server.registerTool(
    NAME,
    {
      title: '{{title}}',
      description: 'Say what this tool answers, and when to use it.',
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      inputSchema: z.strictObject({ name: z.string().describe('What to answer about') }),
      outputSchema: z.object({ text: z.string().describe('The answer') }),
    },
    ({ name }) => {
      const answer = { text: name };
      return { content: [{ type: 'text', text: JSON.stringify(answer) }], structuredContent: answer };
    },
  );
}
