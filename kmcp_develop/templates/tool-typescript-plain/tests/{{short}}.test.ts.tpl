/** {{title}}. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withClient } from './client.js';

const TOOL = '{{tool}}';

test('it answers', () =>
  withClient(async (client) => {
    const answer = await client.callTool({ name: TOOL, arguments: { name: 'Ada' } });
    assert.deepEqual(answer.structuredContent, { text: 'Ada' });
  }));
