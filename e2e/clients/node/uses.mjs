// The Node.js library etcd3, over gRPC.
import assert from 'node:assert';
import { Etcd3 } from 'etcd3';

const used = (name) => console.log(`ok ${name}`);
const client = new Etcd3({ hosts: 'http://127.0.0.1:2379' });

await client.put('a').value('1');
assert.equal(await client.get('a').string(), '1');
await client.put('b').value('2');
assert.deepEqual(await client.getAll().strings(), { a: '1', b: '2' });
assert.deepEqual(await client.getAll().prefix('b').keys(), ['b']);
used('keys');

const outcome = await client.if('a', 'Value', '==', '1').then(client.put('a').value('one')).else(client.get('a')).commit();
assert.equal(outcome.succeeded, true);
used('transaction');

const watcher = await client.watch().prefix('watched/').create();
const seen = new Promise((resolve) => watcher.on('put', (kv) => resolve(kv.value.toString())));
const gone = new Promise((resolve) => watcher.on('delete', (kv) => resolve(kv.key.toString())));
await client.put('watched/k').value('v');
await client.delete().key('watched/k');
assert.equal(await seen, 'v');
assert.equal(await gone, 'watched/k');
await watcher.cancel();
used('watch');

const lease = client.lease(60);
await lease.put('leased').value('v');
assert.equal(await client.get('leased').string(), 'v');
await lease.keepaliveOnce();
await lease.revoke();
assert.equal(await client.get('leased').string(), null);
used('lease');

const turns = [];
await Promise.all([1, 2, 3].map((number) => client.lock('turn').ttl(20).do(async () => {
    turns.push(`in ${number}`);
    await client.put('turn-value').value(number);
    turns.push(`out ${number}`);
}).catch((error) => { if (error.constructor.name !== 'EtcdLockFailedError') throw error; })));
for (let at = 0; at < turns.length; at += 2) assert.equal(turns[at].slice(3), turns[at + 1].slice(4));
assert.ok(turns.length >= 2);
used('lock');

const election = client.election('leader', 20);
const campaign = election.campaign('me');
await new Promise((resolve, reject) => { campaign.on('elected', resolve); campaign.on('error', reject); });
assert.equal(await election.leader(), 'me');
await campaign.resign();
used('election');

await client.namespace('app/').put('k').value('v');
assert.equal(await client.get('app/k').string(), 'v');
used('namespace');

// Users last, as nothing else is let in afterwards.
const root = await client.role('root').create();
await client.user('root').create('secret');
await client.user('root').addRole('root');
const role = await client.role('reader').create();
await role.grant({ permission: 'Readwrite', range: client.range({ prefix: 'app/' }) });
const alice = await client.user('alice').create('secret');
await alice.addRole('reader');
await client.auth.authEnable();
const named = new Etcd3({ hosts: 'http://127.0.0.1:2379', auth: { username: 'alice', password: 'secret' } });
assert.equal(await named.get('app/k').string(), 'v');
await assert.rejects(named.put('other').value('v'), /permission denied/);
await assert.rejects(client.get('app/k').string(), /user name is empty/);
assert.equal(root.name, 'root');
used('users and roles');

for (const each of [client, named]) each.close();
process.exit(0);
