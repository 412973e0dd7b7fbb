/** The MCP server `{{name}}`: over stdio, or over streamable HTTP. Every module of `tools` holds one tool. */

import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

type Register = (server: McpServer) => void;

const NAME = '{{name}}';
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

async function loadTools(): Promise<Register[]> {
  const folder = new URL('./tools/', import.meta.url);
  const files = (await readdir(folder)).filter((name) => name.endsWith('.js')).sort();
  const modules = await Promise.all(files.map((name) => import(new URL(name, folder).href)));
  return modules.map((found: { register: Register }) => found.register);
}

/** HTTP makes a server for each request, so that no caller sees another's state. */
function makeServer(tools: Register[]): McpServer {
  const about = { name: NAME, version: '0.1.0' };
  const server = new McpServer(about, { instructions: 'Say here when to use these tools.' });
  for (const register of tools) register(server);
  return server;
}

function serveHttp(tools: Register[]): void {
  // What is set and empty is not set.
  const host = process.env['HOST'] || '127.0.0.1';
  const text = process.env['PORT'] || '8000';
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new Error(`PORT: ${text} is not a port`);
  const handle = toNodeHandler(createMcpHandler(() => makeServer(tools)));
  // On a person's machine a web page must not reach the server by a name that it chose itself.
  const guards = LOOPBACK.includes(host) ? [localhostHostValidation(), localhostOriginValidation()] : [];
  const http = createServer((request, response) => {
    if (!guards.every((allows) => allows(request, response))) return;
    if (request.url?.split('?', 1)[0] !== '/mcp') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('MCP is served at /mcp\n');
      return;
    }
    handle(request, response).catch((error: Error) => response.destroy(error));
  });
  http.on('error', (error) => fail(error));
  http.listen(port, host, () => console.error(`${NAME}: http://${host}:${port}/mcp`));
  // The first process of a container gets no default for these signals.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      http.close(() => process.exit(0));
      http.closeIdleConnections();
      setTimeout(() => process.exit(0), 5000).unref();
    });
  }
}

function fail(error: unknown): never {
  console.error(`${NAME}: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

async function main(): Promise<void> {
  const tools = await loadTools();
  const transport = process.argv[2] ?? 'stdio';
  if (transport === 'http') serveHttp(tools);
  else if (transport === 'stdio') serveStdio(() => makeServer(tools));
  else fail(`${transport} is neither stdio nor http`);
}

main().catch(fail);
