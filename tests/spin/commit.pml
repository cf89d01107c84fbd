/* How partials are committed: exactly once, though nodes are suspected wrongly and slow ones are backed up.
 *
 * A model of src/execute/{ledger,coordinator,steering}.cpp and of src/node/node_service.cpp over granted_run.cpp, small
 * enough to be searched whole. One coordinator gives SUBTASKS subtasks to NODES nodes. A node runs what it was given in
 * any order into an open partial, closes that, and sends what is closed. The failure detector may fire SUSPICIONS times,
 * at anyone, at any moment, rightly or not; BACKUPS attempts are made beside the first ones.
 *
 * What must hold: an honest node's partial is never refused, a subtask is committed at most once, and where the run ends
 * all are. Sets of subtasks are bit masks; a job number is an incarnation, as it is on the wire.
 *
 * tests/spin/run-spin says which sizes are searched, and which broken variants must be refuted:
 *   BUG_NO_FENCE    what was said under an older job number is heard
 *   BUG_EAGER       a backup counts as soon as it is there
 *   BUG_NO_REVOKE   a node folds what was revoked
 *   BUG_ANY_SEAL    a backup wins with any seal that comes without it, not with the answer to the one that revoked it
 *   BUG_WHOLE_DROP  a dropped partial's subtasks are all free again, also the one that a backup has won
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

#define nobody 255
#define bit_of(s) (1 << (s))
#define has(set, s) (((set) >> (s)) & 1)
#define room(channel) (len(channel) < 2)  /* nfull() would not go with else */

mtype = { grant, stage, seal, sealed, backed_up };

/* To a node: under which job number, and of which subtasks. */
chan to_node[NODES] = [2] of { mtype, byte, byte };
/* From nodes: who, under which job number, fold-set, dropped set, and whether it answers a seal. */
chan to_coordinator = [NODES + 1] of { mtype, byte, byte, byte, byte, bool };

/* The coordinator's books. */
byte holder[SUBTASKS] = nobody;  /* whom it is assigned to */
byte backer[SUBTASKS] = nobody;  /* who runs a backup of it, or has */
byte staged;                     /* backups whose values are there */
byte committed;
byte job[NODES];
byte asked[NODES];               /* what the seal under way revokes; 0: none is under way */
byte suspicions = SUSPICIONS;
byte backups = BACKUPS;

inline commit(s)
{
  assert(!has(committed, s));
  committed = committed | bit_of(s);
  staged = staged & ~bit_of(s);
  holder[s] = nobody;
  backer[s] = nobody
}

/* The node is given up: what it has folded and not sealed is lost with it, backups of that count from now on. */
inline lose(w, s)
{
#ifndef BUG_NO_FENCE
  job[w]++;
#endif
  asked[w] = 0;
  for (s : 0 .. SUBTASKS - 1) {
    if
    :: holder[s] == w && has(staged, s) -> commit(s)
    :: holder[s] == w && !has(staged, s) -> holder[s] = nobody; backer[s] = nobody  /* whoever backs it up does so in vain */
    :: else
    fi;
    if
    :: backer[s] == w -> backer[s] = nobody; staged = staged & ~bit_of(s)
    :: else
    fi
  }
  s = 0
}

inline take_partial(w, folded, dropped, answers, s)
{
  for (s : 0 .. SUBTASKS - 1) {
    if
    :: has(folded, s) -> assert(holder[s] == w); commit(s)
    :: else
    fi;
    if  /* seal, then choose: the primary has said that it will never fold it */
#ifdef BUG_ANY_SEAL
    :: !has(folded, s) && holder[s] == w && has(staged, s) -> commit(s)
#else
    :: !has(folded, s) && holder[s] == w && has(staged, s) && answers && has(asked[w], s) -> commit(s)
#endif
    :: else
    fi;
    if  /* free again, unless a backup has won meanwhile */
#ifdef BUG_WHOLE_DROP
    :: has(dropped, s) -> assert(holder[s] == w); holder[s] = nobody
#else
    :: has(dropped, s) && holder[s] == w -> holder[s] = nobody; backer[s] = nobody; staged = staged & ~bit_of(s)
#endif
    :: else
    fi
  }
  s = 0;
  if
  :: answers -> asked[w] = 0
  :: else
  fi
}

active proctype coordinator()
{
  mtype kind;
  byte w, s, number, folded, dropped;
  bool answers;

  atomic {
    for (w : 0 .. NODES - 1) { run node(w) }
    w = 0
  }
  do
  :: committed == bit_of(SUBTASKS) - 1 -> break

  :: atomic {  /* a free subtask is granted to anyone */
       select(s : 0 .. SUBTASKS - 1);
       select(w : 0 .. NODES - 1);
       if
       :: !has(committed, s) && holder[s] == nobody && room(to_node[w]) ->
            holder[s] = w;
            to_node[w]!grant(job[w], bit_of(s))
       :: else
       fi;
       s = 0; w = 0
     }

  :: atomic {  /* a backup of what somebody else is at */
       backups > 0 ->
       select(s : 0 .. SUBTASKS - 1);
       select(w : 0 .. NODES - 1);
       if
       :: holder[s] != nobody && holder[s] != w && backer[s] == nobody && room(to_node[w]) ->
            backups--;
            backer[s] = w;
            to_node[w]!stage(job[w], bit_of(s))
       :: else
       fi;
       s = 0; w = 0
     }

  :: atomic {  /* its values are there: the primary is asked to seal without it */
       staged != 0 ->
       select(w : 0 .. NODES - 1);
       if
       :: asked[w] == 0 && room(to_node[w]) ->
            for (s : 0 .. SUBTASKS - 1) {
              if
              :: holder[s] == w && has(staged, s) -> asked[w] = asked[w] | bit_of(s)
              :: else
              fi
            }
            s = 0;
            if
            :: asked[w] != 0 -> to_node[w]!seal(job[w], asked[w])
            :: else
            fi
       :: else
       fi;
       w = 0
     }

  :: atomic {  /* silence, or what looks like it */
       suspicions > 0 ->
       suspicions--;
       select(w : 0 .. NODES - 1);
       lose(w, s);
       w = 0
     }

  :: atomic {
       to_coordinator?kind, w, number, folded, dropped, answers ->
       if
       :: number != job[w]  /* fenced */
       :: number == job[w] && kind == sealed -> take_partial(w, folded, dropped, answers, s)
       :: number == job[w] && kind == backed_up ->
            for (s : 0 .. SUBTASKS - 1) {
              if
              :: has(folded, s) && backer[s] == w && holder[s] != nobody ->
#ifdef BUG_EAGER
                   commit(s)
#else
                   staged = staged | bit_of(s)
#endif
              :: else
              fi
            }
            s = 0
       fi;
       w = 0; number = 0; folded = 0; dropped = 0; answers = 0
     }
  od;
  assert(committed == bit_of(SUBTASKS) - 1)
}

proctype node(byte me)
{
  mtype kind;
  byte number, set, s;
  byte current, waiting;       /* the job's number; granted and not run */
  byte open, closed, dropped;  /* folded by a worker; fit to be sealed; run in vain */
  byte revoked;

end:
  do
  :: atomic {
       nempty(to_node[me]) && nfull(to_coordinator) ->
       to_node[me]?kind, number, set;
       if
       :: number != current ->  /* opened again: it begins with nothing */
            current = number;
            waiting = 0; open = 0; closed = 0; dropped = 0; revoked = 0
       :: else
       fi;
       if
       :: kind == grant -> waiting = waiting | set
       :: kind == stage -> to_coordinator!backed_up(me, current, set, 0, 0)
       :: kind == seal ->
#ifndef BUG_NO_REVOKE
            revoked = revoked | (set & ~closed);
#endif
            to_coordinator!sealed(me, current, closed, dropped, 1);
            revoked = revoked & ~dropped;
            closed = 0; dropped = 0
       fi;
       kind = 0; number = 0; set = 0
     }

  :: atomic {  /* a kernel is done, and folded */
       waiting != 0 ->
       select(s : 0 .. SUBTASKS - 1);
       if
       :: has(waiting, s) -> waiting = waiting & ~bit_of(s); open = open | bit_of(s)
       :: else
       fi;
       s = 0
     }

  :: atomic {  /* values cannot be taken out again: a partial with a revoked subtask in it goes whole */
       open != 0 ->
       if
       :: (open & revoked) != 0 -> dropped = dropped | open
       :: else -> closed = closed | open
       fi;
       open = 0
     }

  :: atomic {  /* dry, or time for it */
       (closed | dropped) != 0 && nfull(to_coordinator) ->
       to_coordinator!sealed(me, current, closed, dropped, 0);
       revoked = revoked & ~dropped;
       closed = 0; dropped = 0
     }
  od
}
