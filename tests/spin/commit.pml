/* How partials are committed: each subtask once, and all of them in the end, though nodes are suspected wrongly, slow ones
 * are backed up, and what was granted is taken back for others.
 *
 * A model of src/execute/{ledger,coordinator,steering}.cpp, and of src/node/node_service.cpp over granted_run.cpp, small
 * enough to be searched whole. One coordinator gives SUBTASKS subtasks to NODES nodes. A node runs what it was given in
 * any order into an open partial, closes that, and sends what is closed. The failure detector may fire SUSPICIONS times,
 * at anyone, at any moment, rightly or not; BACKUPS attempts are made beside the first ones; STEALS times a node is asked
 * to give back what it has not started. With DATA, a subtask needs a piece of data, which goes once to a node and which
 * messages without a payload overtake: so do grants on the way there, and what is given back on the way here.
 *
 * What must hold:
 *   - an honest node's partial is never refused, nor what it drops or gives back; an honest node is never granted what it
 *     has; a subtask is committed at most once, and not run before its data are there: the assertions;
 *   - in the end all are committed: `ends`. No fairness is asked for that. Each step is one that takes something further,
 *     so that no run goes on for ever; one that ends without the last commit has lost work.
 *
 * Not in it: who gets what and how much of it (speeds, moves_max), so any free subtask may go to any node and any node may
 * be robbed; what was stolen is free for an instant; attempts that fail, retries, progress, acknowledgements, draining,
 * nodes that stay away. Sets of subtasks are bit masks; a job number is an incarnation, as it is on the wire, and the first
 * message that bears it opens the job.
 *
 * tests/spin/run-spin says which sizes are searched, and which broken variants must be refuted. By an assertion:
 *   BUG_NO_FENCE     what was said under an older job number is heard
 *   BUG_EAGER        a backup counts as soon as it is there
 *   BUG_NO_REVOKE    a node folds what was revoked
 *   BUG_ANY_SEAL     a backup wins with any seal that comes without it, not with the answer to the one that revoked it
 *   BUG_WHOLE_DROP   a dropped partial's subtasks are all free again, also the one that a backup has won
 *   BUG_RUNS_GIVEN   a node runs what it has given back
 *   BUG_WHOLE_GIVEN  what is given back is free again, also if a backup has won it
 *   BUG_EARLY_START  a node does not wait for a grant's data
 * By a run that ends with work undone:
 *   BUG_LOST         what a lost node had stays its own
 *   BUG_DROP_LOST    what a node has dropped is given to nobody
 *   BUG_STEAL_LOST   what a node has given back is given to nobody
 *   BUG_DATA_LOST    data that a lost node had are not sent again
 */
#ifndef SUBTASKS
#define SUBTASKS 2
#endif
#ifndef NODES
#define NODES 2
#endif
#ifndef SUSPICIONS
#define SUSPICIONS 1
#endif
#ifndef BACKUPS
#define BACKUPS 1
#endif
#ifndef STEALS
#define STEALS 1
#endif
#ifndef DATA
#define DATA 1
#endif

#define nobody 255
#define all (bit_of(SUBTASKS) - 1)
#define bit_of(s) (1 << (s))
#define has(set, s) (((set) >> (s)) & 1)

/* A step for each subtask, or each node. (Not select() and a test: what comes to nothing could be done for ever.) */
#if SUBTASKS == 2
#define for_subtasks(step) step(0) step(1)
#define for_subtasks_of(step, w) step(0, w) step(1, w)
#define union_of(f, w) (f(0, w) | f(1, w))
#elif SUBTASKS == 3
#define for_subtasks(step) step(0) step(1) step(2)
#define for_subtasks_of(step, w) step(0, w) step(1, w) step(2, w)
#define union_of(f, w) (f(0, w) | f(1, w) | f(2, w))
#endif
#if NODES == 2
#define for_nodes(step) step(0) step(1)
#define for_both(step) for_subtasks_of(step, 0) for_subtasks_of(step, 1)
#elif NODES == 3
#define for_nodes(step) step(0) step(1) step(2)
#define for_both(step) for_subtasks_of(step, 0) for_subtasks_of(step, 1) for_subtasks_of(step, 2)
#endif

mtype = { grant, stage, seal, take_back, sealed, backed_up };

/* To a node: under which job number, which subtask (of seals: a set), and the data that must have come before. */
chan to_node[NODES] = [2] of { mtype, byte, byte, byte };
/* Data on their way to it: job number, subtask. In order among themselves. */
chan data[NODES] = [2] of { byte, byte };
/* From a node, what has a payload: job number, fold-set, dropped set, and whether it answers a seal. */
chan partials[NODES] = [2] of { mtype, byte, byte, byte, bool };
/* What has none overtakes: job number, what it gives back. */
chan given_back[NODES] = [1] of { byte, byte };

byte committed;

ltl ends { <> (committed == all) }

/* The coordinator -------------------------------------------------------------------------------------------------- */

inline commit(s)
{
  assert(!has(committed, s));
  committed = committed | bit_of(s);
  staged = staged & ~bit_of(s);
  holder[s] = nobody;
  backer[s] = nobody
}

inline release(s)
{
  holder[s] = nobody;
  backer[s] = nobody;  /* whoever backs it up does so in vain */
  staged = staged & ~bit_of(s)
}

/* The node is given up: what it has folded and not sealed is lost with it, backups of that count from now on. */
inline lose(w)
{
#ifndef BUG_NO_FENCE
  job[w]++;
#endif
  asked[w] = 0;
  overtaken[w] = 0;
  taking[w] = 0;
#ifndef BUG_DATA_LOST
  sent[w] = 0;
#endif
  for (s : 0 .. SUBTASKS - 1) {
    if
    :: holder[s] == w && has(staged, s) -> commit(s)
#ifndef BUG_LOST
    :: holder[s] == w && !has(staged, s) -> release(s)
#endif
    :: else
    fi;
    if
    :: backer[s] == w -> backer[s] = nobody; staged = staged & ~bit_of(s)
    :: else
    fi
  }
  s = 0
}

inline take_partial(w)
{
  for (s : 0 .. SUBTASKS - 1) {
    if
    :: has(folded, s) -> assert(holder[s] == w); commit(s)
    :: else
    fi;
    if  /* what it drops is its own, or was until a backup won it */
    :: has(dropped, s) && !has(overtaken[w], s) -> assert(holder[s] == w)
    :: else
    fi
  }
  for (s : 0 .. SUBTASKS - 1) {
    if  /* seal, then choose: the primary has said that it will never fold it */
#ifdef BUG_ANY_SEAL
    :: holder[s] == w && has(staged, s) -> commit(s); overtaken[w] = overtaken[w] | bit_of(s)
#else
    :: holder[s] == w && has(staged, s) && answers && has(asked[w], s) -> commit(s); overtaken[w] = overtaken[w] | bit_of(s)
#endif
    :: else
    fi;
    if
#ifdef BUG_WHOLE_DROP
    :: has(dropped, s) -> assert(holder[s] == w); release(s)
#elif defined(BUG_DROP_LOST)
#else
    :: has(dropped, s) && !has(overtaken[w], s) -> release(s)
#endif
    :: else
    fi
  }
  s = 0;
  overtaken[w] = overtaken[w] & ~dropped;
  if
  :: answers -> asked[w] = 0
  :: else
  fi
}

inline take_backup(w)
{
  for (s : 0 .. SUBTASKS - 1) {
    if
    :: has(folded, s) && backer[s] == w && holder[s] != nobody ->
#ifdef BUG_EAGER
         overtaken[holder[s]] = overtaken[holder[s]] | bit_of(s);
         commit(s)
#else
         staged = staged | bit_of(s)
#endif
    :: else
    fi
  }
  s = 0
}

inline take_what_came_back(w)
{
  for (s : 0 .. SUBTASKS - 1) {
    if
#ifdef BUG_WHOLE_GIVEN
    :: has(folded, s) ->
#else
    :: has(folded, s) && !has(overtaken[w], s) ->
#endif
         assert(holder[s] == w);
#ifndef BUG_STEAL_LOST
         release(s)
#endif
    :: else
    fi
  }
  s = 0;
  overtaken[w] = overtaken[w] & ~folded;
  taking[w] = 0
}

inline send_with_data(kind, s, w)
{
#if DATA
  if
  :: has(sent[w], s)
  :: else -> data[w]!job[w], s; sent[w] = sent[w] | bit_of(s)
  fi;
#endif
  to_node[w]!kind(job[w], s, sent[w])
}

#define fits(s, w) (nfull(to_node[w]) && (!DATA || has(sent[w], s) || nfull(data[w])))
#define staged_of(s, w) ((holder[s] == w && has(staged, s)) -> bit_of(s) : 0)
#define held_of(s, w) (holder[s] == w -> bit_of(s) : 0)

/* A free subtask is granted, to anyone. */
#define give(s, w) \
  :: atomic { \
       !has(committed, s) && holder[s] == nobody && fits(s, w) -> \
       holder[s] = w; send_with_data(grant, s, w) }

/* A backup of what somebody else is at. */
#define back_up(s, w) \
  :: atomic { \
       backups > 0 && holder[s] != nobody && holder[s] != w && backer[s] == nobody && fits(s, w) -> \
       backups--; backer[s] = w; send_with_data(stage, s, w) }

/* Its values are there: the primary is asked to seal without it. */
#define ask_for_seal(w) \
  :: atomic { \
       asked[w] == 0 && union_of(staged_of, w) != 0 && nfull(to_node[w]) -> \
       asked[w] = union_of(staged_of, w); to_node[w]!seal(job[w], asked[w], 0) }

/* Somebody is to have what it has not started. */
#define rob(w) \
  :: atomic { \
       steals > 0 && !taking[w] && union_of(held_of, w) != 0 && nfull(to_node[w]) -> \
       steals--; taking[w] = 1; to_node[w]!take_back(job[w], 0, 0) }

/* Silence, or what looks like it. */
#define suspect(w) \
  :: atomic { suspicions > 0 -> suspicions--; lose(w) }

#define hear(w) \
  :: atomic { \
       partials[w]?kind, number, folded, dropped, answers -> \
       if \
       :: number == job[w] && kind == sealed -> take_partial(w) \
       :: number == job[w] && kind == backed_up -> take_backup(w) \
       :: else /* fenced */ \
       fi; \
       kind = 0; number = 0; folded = 0; dropped = 0; answers = 0 } \
  :: atomic { \
       given_back[w]?number, folded -> \
       if \
       :: number == job[w] -> take_what_came_back(w) \
       :: else \
       fi; \
       number = 0; folded = 0 }

active proctype coordinator()
{
  byte holder[SUBTASKS] = nobody;  /* whom it is assigned to */
  byte backer[SUBTASKS] = nobody;  /* who runs a backup of it, or has */
  byte staged;                     /* backups whose values are there */
  byte job[NODES];
  byte asked[NODES];               /* what the seal under way revokes; 0: none is under way */
  byte overtaken[NODES];           /* what backups have won from it, and it has not given up yet */
  byte sent[NODES];                /* whose data it has, or will have */
  bool taking[NODES];              /* it was asked to give back */
  byte suspicions = SUSPICIONS;
  byte backups = BACKUPS;
  byte steals = STEALS;

  mtype kind;
  byte s, number, folded, dropped;
  bool answers;

  atomic {
    for (s : 0 .. NODES - 1) { run node(s) }
    s = 0
  }
  do
  :: committed == all -> break
  for_both(give)
  for_both(back_up)
  for_nodes(ask_for_seal)
  for_nodes(rob)
  for_nodes(suspect)
  for_nodes(hear)
  od
}

/* A node ---------------------------------------------------------------------------------------------------------- */

inline open_if_new()
{
  if
  :: number > current ->  /* opened again: it begins with nothing */
       current = number;
       waiting = 0; blocked = 0; backups = 0; here = 0; open = 0; closed = 0; dropped = 0; revoked = 0;
       for (s : 0 .. SUBTASKS - 1) { needs[s] = 0 }
       s = 0
  :: else
  fi
}

#ifdef BUG_EARLY_START
#define there(needed) true
#else
#define there(needed) (((needed) & ~here) == 0)
#endif

/* The data are there: what waited for them may begin. */
inline look_for_data()
{
  for (s : 0 .. SUBTASKS - 1) {
    if
    :: there(needs[s]) ->
         if
         :: has(backups, s) -> assert(!DATA || has(here, s)); partials[me]!backed_up(current, bit_of(s), 0, 0)
         :: else
         fi;
         waiting = waiting | (blocked & bit_of(s));
         blocked = blocked & ~bit_of(s);
         backups = backups & ~bit_of(s);
         needs[s] = 0
    :: else
    fi
  }
  s = 0
}

inline seal_closed(answers)
{
  partials[me]!sealed(current, closed, dropped, answers);
  revoked = revoked & ~dropped;
  closed = 0; dropped = 0
}

#define run_it(s) \
  :: atomic { \
       has(waiting, s) -> \
       assert(!DATA || has(here, s)); \
       waiting = waiting & ~bit_of(s); open = open | bit_of(s) }

/* What was revoked before it was begun is not run. */
#define skip_it(s) \
  :: atomic { \
       has(waiting & revoked, s) -> \
       waiting = waiting & ~bit_of(s); dropped = dropped | bit_of(s) }

#ifdef BUG_RUNS_GIVEN
#define give_back(s) \
  :: has(waiting | blocked, s) -> given_back[me]!current, bit_of(s)
#else
#define give_back(s) \
  :: has(waiting | blocked, s) -> \
       waiting = waiting & ~bit_of(s); blocked = blocked & ~bit_of(s); given_back[me]!current, bit_of(s)
#endif

proctype node(byte me)
{
  mtype kind;
  byte number, set, needed, s;
  byte current;                /* the job's number */
  byte here;                   /* data that have come */
  byte waiting, blocked;       /* granted and not run: with its data, without */
  byte backups;                /* backups that have no data yet */
  byte needs[SUBTASKS];        /* what blocked ones and backups wait for */
  byte open, closed, dropped;  /* folded by a worker; fit to be sealed; run in vain */
  byte revoked;

end:
  do
  :: atomic {
       nempty(to_node[me]) && nfull(partials[me]) && nfull(given_back[me]) ->
       to_node[me]?kind, number, set, needed;
       open_if_new();
       if
       :: number < current  /* of a job that is over */
       :: number == current && kind == grant ->
            assert(!has(waiting | blocked | open | closed | dropped, set));
            blocked = blocked | bit_of(set);
            needs[set] = needs[set] | needed;
            look_for_data()
       :: number == current && kind == stage ->
            backups = backups | bit_of(set);
            needs[set] = needs[set] | needed;
            look_for_data()
       :: number == current && kind == take_back ->
            if
            for_subtasks(give_back)
            :: (waiting | blocked) == 0 -> given_back[me]!current, 0
            fi
       :: number == current && kind == seal ->
#ifndef BUG_NO_REVOKE
            revoked = revoked | (set & ~closed);
#endif
            seal_closed(1)
       fi;
       kind = 0; number = 0; set = 0; needed = 0
     }

  :: atomic {
       nempty(data[me]) && nfull(partials[me]) ->
       data[me]?number, set;
       open_if_new();
       if
       :: number < current
       :: number == current -> here = here | bit_of(set); look_for_data()
       fi;
       number = 0; set = 0
     }

  for_subtasks(run_it)  /* a kernel is done, and folded; it may have begun before the subtask was revoked */
  for_subtasks(skip_it)

  :: atomic {  /* values cannot be taken out again: a partial with a revoked subtask in it goes whole */
       open != 0 ->
       if
       :: (open & revoked) != 0 -> dropped = dropped | open
       :: else -> closed = closed | open
       fi;
       open = 0
     }

  :: atomic {  /* dry, or time for it */
       (closed | dropped) != 0 && nfull(partials[me]) ->
       seal_closed(0)
     }
  od
}
