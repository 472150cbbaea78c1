// Every call of react-admin's data provider for json-server, against the daemon at the URL given.
//
// Ends with 0 if each answers what react-admin expects of it.

import assert from 'node:assert/strict';
import jsonServerProvider from 'ra-data-json-server';

const provider = jsonServerProvider(process.argv[2]);
const names = (answer) => answer.data.map((job) => job.id);
const page = (page, perPage) => ({ page, perPage });
const byName = { field: 'id', order: 'ASC' };

const job = (name, more) => ({
    name,
    schedule: '@manually',
    executor: 'shell',
    executor_config: { command: 'echo hi' },
    ...more,
});

for (const name of ['a', 'b', 'c']) {
    const created = await provider.create('jobs', { data: job(name, { displayname: `Job ${name}` }) });
    assert.equal(created.data.id, name);
    assert.equal(created.data.displayname, `Job ${name}`);
}

const first = await provider.getList('jobs', {
    pagination: page(1, 2), sort: { field: 'name', order: 'DESC' }, filter: {},
});
assert.deepEqual([names(first), first.total], [['c', 'b'], 3]);
const second = await provider.getList('jobs', {
    pagination: page(2, 2), sort: { field: 'name', order: 'DESC' }, filter: {},
});
assert.deepEqual([names(second), second.total], [['a'], 3]);
const found = await provider.getList('jobs', {
    pagination: page(1, 10), sort: byName, filter: { q: 'Job b' },
});
assert.deepEqual([names(found), found.total], [['b'], 1]);
const beyond = await provider.getList('jobs', { pagination: page(9, 10), sort: byName, filter: {} });
assert.deepEqual([names(beyond), beyond.total], [[], 3]);

const one = await provider.getOne('jobs', { id: 'b' });
assert.equal(one.data.id, 'b');
await assert.rejects(provider.getOne('jobs', { id: 'nobody' }), { status: 404 });

const many = await provider.getMany('jobs', { ids: ['c', 'a', 'nobody'] });
assert.deepEqual(names(many), ['a', 'c']);

const updated = await provider.update('jobs', {
    id: 'b', data: { ...one.data, displayname: 'Changed', disabled: true }, previousData: one.data,
});
assert.deepEqual([updated.data.displayname, updated.data.disabled], ['Changed', true]);
const disabled = await provider.getList('jobs', {
    pagination: page(1, 10), sort: byName, filter: { disabled: true },
});
assert.deepEqual(names(disabled), ['b']);

// A PUT replaces the whole job, as in Dkron: a part of one is refused, and nothing is harmed.
await assert.rejects(
    provider.updateMany('jobs', { ids: ['a', 'c'], data: { disabled: true } }), { status: 400 },
);
assert.equal((await provider.getOne('jobs', { id: 'a' })).data.disabled, false);
const all = await provider.updateMany('jobs', { ids: ['a'], data: job('a', { disabled: true }) });
assert.deepEqual(all.data, ['a']);
assert.equal((await provider.getOne('jobs', { id: 'a' })).data.disabled, true);

// Executions are a list below their job.
const ran = await fetch(`${process.argv[2]}/jobs/c`, { method: 'POST' });
assert.equal(ran.status, 200);
const executions = await provider.getManyReference('jobs/c/executions', {
    target: 'job_name', id: 'c', pagination: page(1, 10),
    sort: { field: 'started_at', order: 'DESC' }, filter: {},
});
assert.equal(executions.total, 1);
assert.deepEqual([executions.data[0].job_name, executions.data[0].output], ['c', 'hi\n']);
const execution = await provider.getOne('jobs/c/executions', { id: executions.data[0].id });
assert.equal(execution.data.success, true);

const deleted = await provider.delete('jobs', { id: 'c', previousData: one.data });
assert.equal(deleted.data.id, 'c');
const rest = await provider.deleteMany('jobs', { ids: ['a', 'b'] });
assert.deepEqual(rest.data, ['a', 'b']);
const none = await provider.getList('jobs', { pagination: page(1, 10), sort: byName, filter: {} });
assert.deepEqual([names(none), none.total], [[], 0]);
