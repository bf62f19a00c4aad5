//! The operator dies at any of its writes, and another takes over: the end is the same, and nothing is lost on the way.
//!
//! A scenario is a world at rest, what happens to it, and what has to become of it. Every row of [`scenarios`] is a
//! test of its own.

#[path = "../world/mod.rs"]
mod world;

mod access;
mod backups;
mod changes;
mod ends;
mod growth;
mod losses;
mod restores;
mod rights;
mod security;
mod show;
mod upkeep;

use futures::FutureExt;
use futures::future::BoxFuture;
use world::{Scenario, run};

macro_rules! scenarios {
    ($($promise:ident = $scenario:path;)*) => {
        $(#[test]
        fn $promise() {
            run(async { show::show($scenario().await).await });
        })*

        fn all() -> Vec<BoxFuture<'static, Scenario>> {
            vec![$($scenario().boxed()),*]
        }
    };
}

scenarios! {
    three_members_are_made_of_nothing = growth::three_of_nothing;
    one_member_becomes_three = growth::one_to_three;
    five_members_become_three = growth::five_to_three;
    three_members_become_one = growth::three_to_one;
    hibernation_stops_all_members_and_keeps_their_data = growth::to_sleep;
    a_hibernated_cluster_wakes_with_its_data = growth::awake_again;
    a_wish_that_changes_half_way_is_followed = growth::back_half_way;
    a_deleted_cluster_takes_its_pods_along_and_leaves_its_data = growth::deleted;

    a_member_whose_volume_claim_is_deleted_is_replaced = losses::volume;
    a_member_whose_node_is_lost_is_replaced = losses::node;
    a_member_whose_node_comes_back_stays = losses::node_for_a_while;
    a_member_whose_data_cannot_be_read_is_replaced = losses::unreadable;
    a_member_that_etcd_finds_corrupt_is_replaced = losses::corrupt_alarm;
    what_only_looks_like_a_members_is_left_alone = losses::look_alikes;
    replacement_that_is_asked_for_is_done = losses::replacement;
    after_the_loss_of_the_quorum_one_goes_on_when_a_person_says_so = losses::quorum_by_hand;
    after_the_loss_of_the_quorum_the_newest_goes_on_where_that_was_declared = losses::quorum_automatically;

    members_are_updated_one_at_a_time = changes::option;
    a_storage_class_is_changed_by_replacing_members = changes::storage_class;
    volumes_grow = changes::size;
    a_version_comes_member_by_member = changes::upgrade;
    a_version_goes_back_member_by_member = changes::downgrade;

    members_with_certificates_are_made_of_nothing = security::certificates;
    authorities_are_rotated_while_members_serve = security::rotation;
    clients_come_to_speak_tls = security::clients_to_tls;
    members_come_to_speak_tls = security::peers_to_tls;
    a_password_is_set = security::password;
    a_password_changes = security::another_password;

    a_backup_is_made_once = backups::made;
    a_backup_is_verified = backups::verified;
    a_backup_that_fails_says_so_after_its_attempts = backups::failed;
    a_hopeless_backup_is_tried_once = backups::hopeless;
    a_backup_waits_for_its_cluster = backups::early;
    a_backup_waits_for_its_secret = backups::secured;
    a_schedule_makes_backups_and_prunes_them = backups::scheduled;
    a_suspended_schedule_makes_nothing = backups::suspended;
    a_schedule_that_is_none_makes_nothing = backups::nonsense;
    backups_outlive_their_schedule = backups::schedule_deleted;

    a_cluster_begins_with_a_backup = restores::from_a_backup;
    a_cluster_waits_for_the_backup_it_begins_with = restores::of_a_schedule;
    a_restore_that_fails_is_tried_until_it_is_given_up = restores::failing;
    another_declaration_follows_a_restore_that_was_given_up = restores::given_up_and_changed;
    a_cluster_that_was_restored_is_never_restored_again = restores::once;
    a_living_cluster_goes_back_and_its_volumes_stay = restores::rolled_back;
    a_cluster_of_one_without_quorum_goes_back = restores::rolled_back_from_ruins;
    a_cluster_with_a_password_goes_back_and_keeps_it = restores::rolled_back_with_a_password;
    a_roll_back_without_its_backup_stops_nothing = restores::refused;

    members_are_defragmented_one_at_a_time_and_none_while_it_leads = upkeep::by_hand;
    one_alone_is_defragmented_too = upkeep::of_one;
    a_defragmentation_waits_until_a_lost_member_is_replaced = upkeep::after_repair;
    a_policy_makes_defragmentations_and_forgets_old_ones = upkeep::by_policy;
    a_cluster_that_reached_its_quota_is_freed = upkeep::no_space;
    data_that_are_too_large_stay_and_are_told_of = upkeep::too_much;

    a_user_and_its_role_are_made = access::declared;
    a_user_waits_for_its_role = access::without_its_role;
    a_user_gets_its_role_when_it_comes = access::with_its_role;
    what_may_be_done_changes = access::changed;
    another_password_in_the_secret_is_the_new_one = access::another_password;
    a_secret_that_was_written_anew_changes_no_password = access::same_password;
    a_user_and_a_role_whose_objects_go_are_removed = access::deleted;
    a_user_that_is_to_stay_stays_and_is_kept_no_more = access::retained;
    what_was_changed_by_hand_is_put_back = access::drifted;
    a_user_that_nobody_declared_is_left_alone = access::foreign;
    a_user_that_nobody_declared_is_taken_over_on_demand = access::adopted;
    of_two_that_declare_one_name_the_elder_has_it = access::rivals;
    what_was_made_in_another_era_is_made_anew = access::another_era;
}
