"""What operators say in several words, by what they mean: which words of tools it stands for."""

import re
from functools import lru_cache

from kmcp_runtime.door.words import words

# Each line: a regular expression over whole words, and what it stands for. Gaps are bounded, so that any text is fast.
_SAYINGS = r"""
out of (?:service|rotation|the cluster)|for (?:maintenance|a reboot) => drain cordon node patch
off (?:the|this) node|take .{0,40} out => drain cordon node patch
after maintenance|back (?:in|into|to) (?:service|rotation)|schedulable => uncordon node patch
get(?:ting)? rid of|throw (?:away|out)|kick out|clean (?:out|up)|no longer need => delete remove
shut .{0,40}down => scale replicas
to (?:zero|nothing|\d+ (?:pods|replicas|copies)|(?:one|two|three|four|five) (?:pods|replicas|copies)) => scale replicas
(?:go|step|put) back|(?:back|return) to|previous (?:version|revision|state)|older version => rollback undo revision
last good => rollback undo revision
how (?:much|heavy|busy)|eat(?:s|ing)?|hungr(?:y|iest)|most (?:cpu|memory) => usage top
how many|number of => count list
(?:am|are|is|be) (?:i |we |it |\w+ )?(?:allowed|permitted)|(?:can|may) (?:i|we) => rights permission can
who (?:can|may|is allowed) => rights permission can
who (?:deleted|changed|did|killed|touched)|what (?:happened|went on|was going on)|last night => events
what (?:was |has )?changed|difference|differs?|drift => history revision diff
(?:ok|okay|healthy|fine|well|alive|in order|in good shape|working|up and running) => health status state
over the (?:last|past)|(?:last|past) (?:\w+ )?(?:hours?|days?|weeks?|minutes?|night) => range time
since (?:yesterday|last)|trend|course => range time
\d{1,2} ?(?:am|pm)|time ?zones?|midnight|noon|o.clock => time zone
right now|at the moment|current(?:ly)?|at this (?:moment|minute|second) => moment now
set (?:it )?up|put \w+ on => install create
look(?:ed)? up => search resolve
how (?:do|can|would|should) (?:i|we|you|one)|how to|how does|what is an? => documentation
log (?:in|into|on)|sign in|account|colleague => user member
would (?:change|happen)|dry run|before (?:i|we) apply => dry run diff
(?:in|inside|into|within) (?:a|the|this|that|my) (?:running )?(?:container|pod)|open a shell|ssh => exec command
cat /|\bls\b => exec command
pag(?:es?|ed|ing)|on call|notif(?:y|ies|ied) => contact notification policy
(?:turn|switch)(?:ed|ing)? \w+ ?(?:on|off)|(?:turn|switch) (?:on|off) => toggle enable
(?:which|what|all|any) .{0,40}(?:exist|are there|do i have|do we have|known|available)|overview => list
all (?:the )?\w+s\b => list
(?:keeps?|kept) (?:restarting|crashing|dying)|crash(?:es|ed|ing|loop\w*) => crash logs events
won.t (?:start|come up)|does(?: not|n.t) start => crash logs events
(?:kick|cycle|recycle|reboot|relaunch|bounc\w+)(?: the| this| my)? => restart rollout
pick(?:s|ed)? up (?:the )?(?:new|changed) => restart rollout
tear(?:ing)? down|blow away|take down|nuke|trash|wipe|purge|prune|discard|scrub => delete remove uninstall
spin up|bring up|stand up|provision|scaffold|bootstrap => create install
instead of (?:\d+|one|two|three|four|five|six|ten) => scale replicas
(?:more|fewer|another|extra) (?:pods|replicas|copies|workers|instances)|shrink|resize => scale replicas
(?:take|bring|get|send|put) (?:\w+ ){1,3}back|last known good|broke\b.{0,30}\bback => undo rollback
pushe?s?|send .{0,20}to the cluster|submit => apply
last words|printed|says|said|spits? out|complains? => log output
fre+ze|hold on|hold|halt => pause
move .{0,20}(?:on|forward|ahead)|go (?:on|ahead)|proceed|advance|next (?:step|stage) => continue promote step
further => continue promote step
hush|snooze|suppress|quiet\w* => silence mute
(?:tell|alert|email|mail|page|inform|message) (?:the )?(?:team|us|me|someone|people|slack) => contact notification
slack|pagerduty|opsgenie|webhook|e-?mail => contact notification
weird|odd|strange|broken|flak\w+|flaps?|flapping|going on|misbehav\w+|goes wrong|went wrong => events fault why
trouble\w* => events fault why
answer(?:s|ing)?(?: at all)?|ping|probe|curl|respond(?:s|ing)?|listening => connectivity answer reach
read up|learn|background on|best practice\w*|tutorial|explained => documentation
source (?:of|for)|source code|implement\w+|in the code|function that => source code
curve|plot|over time|week over week|yesterday|histor(?:y|ical) of .{0,20}(?:rate|usage|ratio|latency) => range time
neighbou?rs? => peers
invite|grant|give \w+ access|onboard => user member permission
block(?:ed|s)?|den(?:y|ied|ies)|reject(?:s|ed)?|refuse[ds]? => dropped denied
url|bookmark|share(?:able)? => link
dump|export|raw|full text => yaml manifest
p\d\d|percentiles?|(?:error|success|request) (?:rate|ratio|budget)s?|requests? per|[45]xx => promql evaluate metric
[45]\d\d errors?|throughput|qps|rps|slos? => promql evaluate metric
config maps? => configmap
volumes? claims? => persistentvolumeclaim pvc volume
virtual services? => virtualservice
network polic(?:y|ies) => networkpolicy
(?:service|robot) accounts? => serviceaccount
stateful sets? => statefulset
daemon sets? => daemonset
cron jobs? => cronjob
custom resources?|definitions? => customresourcedefinition kinds
(?:cannot|can.t|can not|could not|not|never) (?:be )?(?:reach|connect|resolve)\w* => connectivity connection reach
times? out|timed out|refused => connectivity connection reach
"""


@lru_cache(maxsize=1)
def sayings() -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    """Expressions, and the stems that each stands for; compiled at the first question, not at the start."""
    found = []
    for line in _SAYINGS.strip().splitlines():
        said, _, stands_for = line.partition(" => ")
        found.append((re.compile(rf"\b(?:{said})\b", re.IGNORECASE), tuple(words(stands_for))))
    return found
