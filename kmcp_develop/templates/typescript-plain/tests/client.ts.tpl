/** The server, as an MCP client sees it. */

import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const PROGRAM = fileURLToPath(new URL('../src/server.js', import.meta.url));

export async function withClient(use: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ name: 'tests', version: '0' });
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [PROGRAM, 'stdio'] }));
  try {
    await use(client);
  } finally {
    await client.close();
  }
}
