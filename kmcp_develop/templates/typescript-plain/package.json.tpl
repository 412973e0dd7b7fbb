{
  "name": "{{name}}",
  "version": "0.1.0",
  "description": "Tools of {{title}}.",
  "private": true,
  "type": "module",
  "engines": {
    "node": ">=20"
  },
  "bin": {
    "{{name}}": "dist/src/server.js"
  },
  "scripts": {
    "build": "rm -rf dist && tsc",
    "check": "prettier --check . && tsc --noEmit",
    "test": "node --test dist/tests/*.test.js"
  },
  "dependencies": {
    "@modelcontextprotocol/node": "2.1.2",
    "@modelcontextprotocol/server": "2.4.0",
    "zod": "4.6.7"
  },
  "devDependencies": {
    "@modelcontextprotocol/client": "2.4.0",
    "@types/node": "22.20.7",
    "prettier": "3.10.1",
    "typescript": "7.0.2"
  }
}
