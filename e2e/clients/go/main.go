// The Go library clientv3 and its packages on top, over gRPC.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/mirror"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/ordering"
)

var member = []string{"http://127.0.0.1:2379"}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func demand(holds bool, what string) {
	if !holds {
		log.Panic(what)
	}
}

func dial(user, password string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: member, DialTimeout: 10 * time.Second, Username: user, Password: password,
	})
	check(err)
	return client
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	client := dial("", "")
	defer client.Close()
	for _, use := range []struct {
		name string
		run  func(context.Context, *clientv3.Client)
	}{
		{"keys and pages", keys},
		{"transaction and memory (STM)", transactions},
		{"watch, with progress and after compaction", watches},
		{"leases", leases},
		{"mutexes", mutexes},
		{"election", elections},
		{"namespace, ordering, leasing", wrappers},
		{"mirror", mirrors},
		{"snapshot and maintenance", upkeep},
		{"users, and tokens that end", users},
	} {
		use.run(ctx, client)
		fmt.Println("ok", use.name)
	}
}

func keys(ctx context.Context, c *clientv3.Client) {
	for i := range 25 {
		_, err := c.Put(ctx, fmt.Sprintf("page/%02d", i), "v")
		check(err)
	}
	var seen int
	for key, end := "page/", clientv3.GetPrefixRangeEnd("page/"); ; {
		page, err := c.Get(ctx, key, clientv3.WithRange(end), clientv3.WithLimit(10))
		check(err)
		seen += len(page.Kvs)
		if !page.More {
			break
		}
		key = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
	demand(seen == 25, "every key on one page")
}

func transactions(ctx context.Context, c *clientv3.Client) {
	answer, err := c.Txn(ctx).
		If(clientv3.Compare(clientv3.Version("page/00"), "=", 1)).
		Then(clientv3.OpPut("from", "100"), clientv3.OpPut("to", "0"), clientv3.OpGet("page/00")).
		Commit()
	check(err)
	demand(answer.Succeeded && len(answer.Responses) == 3, "the compare holds")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_, err := concurrency.NewSTM(c, func(stm concurrency.STM) error {
				var from, to int
				fmt.Sscan(stm.Get("from"), &from)
				fmt.Sscan(stm.Get("to"), &to)
				stm.Put("from", fmt.Sprint(from-1))
				stm.Put("to", fmt.Sprint(to+1))
				return nil
			})
			check(err)
		})
	}
	group.Wait()
	to, err := c.Get(ctx, "to")
	check(err)
	demand(string(to.Kvs[0].Value) == "8", "no transfer is lost")
}

func watches(ctx context.Context, c *clientv3.Client) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	first, err := c.Put(ctx, "watched", "1")
	check(err)
	_, err = c.Put(ctx, "watched", "2")
	check(err)
	events := c.Watch(ctx, "watched", clientv3.WithRev(first.Header.Revision), clientv3.WithPrevKV())
	response := <-events
	check(response.Err())
	for len(response.Events) < 2 {
		more := <-events
		check(more.Err())
		response.Events = append(response.Events, more.Events...)
	}
	demand(string(response.Events[1].PrevKv.Value) == "1", "what was there before")
	check(c.RequestProgress(ctx))
	progress := <-events
	demand(progress.IsProgressNotify() && progress.Header.Revision >= first.Header.Revision+1, "progress")
	_, err = c.Compact(ctx, first.Header.Revision+1)
	check(err)
	late := <-c.Watch(ctx, "watched", clientv3.WithRev(1))
	demand(errors.Is(late.Err(), rpctypes.ErrCompacted) && late.CompactRevision == first.Header.Revision+1, "compacted")
}

func leases(ctx context.Context, c *clientv3.Client) {
	lease, err := c.Grant(ctx, 5)
	check(err)
	_, err = c.Put(ctx, "leased", "v", clientv3.WithLease(lease.ID))
	check(err)
	alive, err := c.KeepAlive(ctx, lease.ID)
	check(err)
	demand((<-alive).TTL == 5, "kept alive")
	left, err := c.TimeToLive(ctx, lease.ID, clientv3.WithAttachedKeys())
	check(err)
	demand(len(left.Keys) == 1 && left.GrantedTTL == 5, "one key hangs on it")
	_, err = c.Revoke(ctx, lease.ID)
	check(err)
	gone, err := c.TimeToLive(ctx, lease.ID)
	check(err)
	demand(gone.TTL == -1, "gone")
}

func mutexes(ctx context.Context, c *clientv3.Client) {
	var inside, turns int
	var guard sync.Mutex
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			session, err := concurrency.NewSession(c, concurrency.WithTTL(10))
			check(err)
			defer session.Close()
			mutex := concurrency.NewMutex(session, "turn")
			check(mutex.Lock(ctx))
			guard.Lock()
			inside, turns = inside+1, turns+1
			demand(inside == 1, "one at a time")
			inside--
			guard.Unlock()
			check(mutex.Unlock(ctx))
		})
	}
	group.Wait()
	demand(turns == 4, "everybody had a turn")
}

func elections(ctx context.Context, c *clientv3.Client) {
	session, err := concurrency.NewSession(c)
	check(err)
	defer session.Close()
	election := concurrency.NewElection(session, "leader")
	check(election.Campaign(ctx, "me"))
	leader, err := election.Leader(ctx)
	check(err)
	demand(string(leader.Kvs[0].Value) == "me", "it leads")
	observed := election.Observe(ctx)
	check(election.Proclaim(ctx, "still me"))
	for response := range observed {
		if string(response.Kvs[0].Value) == "still me" {
			break
		}
	}
	check(election.Resign(ctx))
}

func wrappers(ctx context.Context, c *clientv3.Client) {
	kv := namespace.NewKV(c.KV, "app/")
	_, err := kv.Put(ctx, "k", "v")
	check(err)
	plain, err := ordering.NewKV(c.KV, func(clientv3.Op, clientv3.OpResponse, int64) error { return nil }).Get(ctx, "app/k")
	check(err)
	demand(string(plain.Kvs[0].Value) == "v", "the key has its prefix")
	cached, done, err := leasing.NewKV(c, "leasing/")
	check(err)
	defer done()
	for range 3 {
		answer, err := cached.Get(ctx, "app/k")
		check(err)
		demand(answer.Count == 1, "read from memory")
	}
}

func mirrors(ctx context.Context, c *clientv3.Client) {
	base, errs := mirror.NewSyncer(c, "page/", 0).SyncBase(ctx)
	var seen int
	for response := range base {
		seen += len(response.Kvs)
	}
	check(<-errs)
	demand(seen == 25, "all of it")
}

func upkeep(ctx context.Context, c *clientv3.Client) {
	status, err := c.Status(ctx, member[0])
	check(err)
	demand(strings.HasPrefix(status.Version, "3.") && status.Leader == status.Header.MemberId, "it leads itself")
	snapshot, err := c.Snapshot(ctx)
	check(err)
	bytes, err := io.Copy(io.Discard, snapshot)
	check(err)
	demand(bytes%512 == 32, "a file with its checksum")
	_, err = c.Defragment(ctx, member[0])
	check(err)
	hash, err := c.HashKV(ctx, member[0], 0)
	check(err)
	demand(hash.Hash != 0, "a hash")
	check(c.Sync(ctx))
}

func users(ctx context.Context, c *clientv3.Client) {
	_, err := c.UserAdd(ctx, "root", "secret")
	check(err)
	_, err = c.UserGrantRole(ctx, "root", "root")
	check(err)
	_, err = c.UserAdd(ctx, "alice", "secret")
	check(err)
	_, err = c.RoleAdd(ctx, "writer")
	check(err)
	_, err = c.RoleGrantPermission(ctx, "writer", "app/", "app0", clientv3.PermissionType(clientv3.PermReadWrite))
	check(err)
	_, err = c.UserGrantRole(ctx, "alice", "writer")
	check(err)
	_, err = c.AuthEnable(ctx)
	check(err)
	root, alice := dial("root", "secret"), dial("alice", "secret")
	defer root.Close()
	defer alice.Close()
	_, err = alice.Put(ctx, "other", "v")
	demand(errors.Is(err, rpctypes.ErrPermissionDenied), "alice may not write other")
	// Her token ends with her password, and the library gets no new one for the old password.
	_, err = alice.Put(ctx, "app/k", "w")
	check(err)
	_, err = root.UserChangePassword(ctx, "alice", "new")
	check(err)
	_, err = alice.Put(ctx, "app/k", "x")
	demand(err != nil, "the old password is worth nothing")
	_, err = root.AuthDisable(ctx)
	check(err)
}
