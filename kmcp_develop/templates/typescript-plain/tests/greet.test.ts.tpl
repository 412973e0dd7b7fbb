/** Greetings. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withClient } from './client.js';

const TOOL = '{{package}}_greet';

test('a name is greeted', () =>
  withClient(async (client) => {
    const answer = await client.callTool({ name: TOOL, arguments: { name: 'Ada' } });
    assert.deepEqual(answer.structuredContent, { text: 'Hello, Ada!' });
  }));

test('what cannot be greeted is refused', () =>
  withClient(async (client) => {
    for (const given of [{ nam: 'Ada' }, { name: ' ' }]) {
      const answer = await client.callTool({ name: TOOL, arguments: given });
      assert.equal(answer.isError, true);
    }
  }));
