import static java.nio.charset.StandardCharsets.UTF_8;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.Watch;
import io.etcd.jetcd.auth.Permission;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.LeaseOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.options.WatchOption;
import io.etcd.jetcd.watch.WatchEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** The Java library jetcd, over gRPC. */
public class Uses {
    static final String MEMBER = "http://127.0.0.1:2379";

    static ByteSequence bytes(String text) {
        return ByteSequence.from(text, UTF_8);
    }

    static <T> T done(CompletableFuture<T> future) throws Exception {
        return future.get(30, TimeUnit.SECONDS);
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    static void used(String name) {
        System.out.println("ok " + name);
    }

    public static void main(String[] words) throws Exception {
        try (Client client = Client.builder().endpoints(MEMBER).build()) {
            keys(client);
            transaction(client);
            watch(client);
            lease(client);
            lock(client);
            election(client);
            maintenance(client);
            users(client);
        }
        System.exit(0);
    }

    static void keys(Client client) throws Exception {
        var kv = client.getKVClient();
        done(kv.put(bytes("a"), bytes("1")));
        done(kv.put(bytes("ab"), bytes("2")));
        var all = done(kv.get(bytes("a"), GetOption.builder().isPrefix(true).build()));
        check(all.getCount() == 2, "two keys");
        check(done(kv.delete(bytes("ab"))).getDeleted() == 1, "one deleted");
        used("keys");
    }

    static void transaction(Client client) throws Exception {
        var answer = done(client.getKVClient().txn()
            .If(new Cmp(bytes("a"), Cmp.Op.EQUAL, CmpTarget.value(bytes("1"))))
            .Then(Op.put(bytes("a"), bytes("one"), PutOption.DEFAULT))
            .Else(Op.get(bytes("a"), GetOption.DEFAULT))
            .commit());
        check(answer.isSucceeded(), "the compare holds");
        used("transaction");
    }

    static void watch(Client client) throws Exception {
        List<WatchEvent> seen = new ArrayList<>();
        CountDownLatch two = new CountDownLatch(2);
        var option = WatchOption.builder().isPrefix(true).withPrevKV(true).build();
        Watch.Watcher watcher = client.getWatchClient().watch(bytes("watched/"), option, response -> {
            for (WatchEvent event : response.getEvents()) {
                seen.add(event);
                two.countDown();
            }
        });
        done(client.getKVClient().put(bytes("watched/k"), bytes("v")));
        done(client.getKVClient().delete(bytes("watched/k")));
        check(two.await(30, TimeUnit.SECONDS), "two events");
        check(seen.get(1).getPrevKV().getValue().equals(bytes("v")), "what was there before");
        watcher.close();
        used("watch");
    }

    static void lease(Client client) throws Exception {
        var leases = client.getLeaseClient();
        long id = done(leases.grant(60)).getID();
        done(client.getKVClient().put(bytes("leased"), bytes("v"), PutOption.builder().withLeaseId(id).build()));
        check(done(leases.keepAliveOnce(id)).getTTL() == 60, "kept alive");
        var left = done(leases.timeToLive(id, LeaseOption.builder().withAttachedKeys().build()));
        check(left.getKeys().size() == 1, "one key hangs on it");
        done(leases.revoke(id));
        check(done(client.getKVClient().get(bytes("leased"))).getCount() == 0, "gone with its lease");
        used("lease");
    }

    static void lock(Client client) throws Exception {
        long first = done(client.getLeaseClient().grant(60)).getID();
        long second = done(client.getLeaseClient().grant(60)).getID();
        ByteSequence held = done(client.getLockClient().lock(bytes("turn"), first)).getKey();
        var waiting = client.getLockClient().lock(bytes("turn"), second);
        Thread.sleep(300);
        check(!waiting.isDone(), "the second waits");
        done(client.getLockClient().unlock(held));
        done(client.getLockClient().unlock(done(waiting).getKey()));
        used("lock");
    }

    static void election(Client client) throws Exception {
        var elections = client.getElectionClient();
        long lease = done(client.getLeaseClient().grant(60)).getID();
        var won = done(elections.campaign(bytes("leader"), lease, bytes("me")));
        check(done(elections.leader(bytes("leader"))).getKv().getValue().equals(bytes("me")), "it leads");
        done(elections.proclaim(won.getLeader(), bytes("me again")));
        done(elections.resign(won.getLeader()));
        used("election");
    }

    static void maintenance(Client client) throws Exception {
        check(done(client.getMaintenanceClient().listAlarms()).getAlarms().isEmpty(), "no alarm");
        check(done(client.getClusterClient().listMember()).getMembers().size() == 1, "one member");
        used("maintenance and cluster");
    }

    static void users(Client client) throws Exception {
        var auth = client.getAuthClient();
        done(auth.userAdd(bytes("root"), bytes("secret")));
        done(auth.userGrantRole(bytes("root"), bytes("root")));
        done(auth.userAdd(bytes("alice"), bytes("secret")));
        done(auth.roleAdd(bytes("writer")));
        done(auth.roleGrantPermission(bytes("writer"), bytes("a"), bytes("b"), Permission.Type.READWRITE));
        done(auth.userGrantRole(bytes("alice"), bytes("writer")));
        done(auth.authEnable());
        try (Client alice = Client.builder().endpoints(MEMBER).user(bytes("alice")).password(bytes("secret")).build()) {
            done(alice.getKVClient().put(bytes("a2"), bytes("v")));
            try {
                done(alice.getKVClient().put(bytes("c"), bytes("v")));
                throw new AssertionError("alice may not write c");
            } catch (ExecutionException refused) {
                check(refused.getMessage().contains("permission denied"), refused.getMessage());
            }
        }
        used("users and roles");
    }
}
