"""What MiniStack does not have and rollbook asks for, answered in AWS' own form."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from tests.aws.faults import Refusal, json_reply, worded
from tests.proxy import Call, Reply

NEVER_RAISED = "L-1194D53C"
"""A quota of which the account has no value of its own: AWS' default has to be asked for."""
ENDS = 1_900_000_000
"""End of a version's standard support, in seconds since the epoch: in 2030."""


class NotEmulated:
    """Service Quotas, versions of EKS, and load balancers of the first generation.

    `classics` are names of such load balancers; `vpc` is the VPC that they are in.
    """

    def __init__(self) -> None:
        self.classics: set[str] = set()
        self.vpc = ""
        self.owner = ""

    def __call__(self, service: str, operation: str, call: Call) -> Reply | None:
        """The answer; None for what the emulator has."""
        made = {
            ("service-quotas", "GetServiceQuota"): self._quota,
            ("service-quotas", "GetAWSDefaultServiceQuota"): self._default,
            ("eks", "DescribeClusterVersions"): self._versions,
            ("elb", "DescribeLoadBalancers"): self._listed,
            ("elb", "DescribeTags"): self._tags,
            ("elb", "DeleteLoadBalancer"): self._deleted,
        }.get((service, operation))
        return made(call) if made else None

    def _quota(self, call: Call) -> Reply:
        if json.loads(call.body)["QuotaCode"] == NEVER_RAISED:
            refusal = Refusal("NoSuchResourceException", "no value of its own")
            return Reply(refusal.status, *worded(refusal, "service-quotas", "json"))
        return self._default(call)

    def _default(self, _call: Call) -> Reply:
        return json_reply({"Quota": {"Value": 1000.0}})

    def _versions(self, _call: Call) -> Reply:
        version = {"clusterVersion": "1.36", "versionStatus": "STANDARD_SUPPORT"}
        return json_reply({"clusterVersions": [{**version, "endOfStandardSupportDate": ENDS}]})

    def _listed(self, _call: Call) -> Reply:
        member = "<member><LoadBalancerName>{}</LoadBalancerName><VPCId>{}</VPCId></member>"
        members = "".join(member.format(name, self.vpc) for name in sorted(self.classics))
        return _xml(
            "DescribeLoadBalancers", f"<LoadBalancerDescriptions>{members}</LoadBalancerDescriptions>"
        )

    def _tags(self, call: Call) -> Reply:
        asked = {
            value for key, (value, *_) in parse_qs(call.body.decode()).items() if "LoadBalancerNames" in key
        }
        tag = f"<member><Key>kubernetes.io/cluster/{self.owner}</Key><Value>owned</Value></member>"
        members = "".join(
            f"<member><LoadBalancerName>{name}</LoadBalancerName><Tags>{tag}</Tags></member>"
            for name in sorted(asked & self.classics)
        )
        return _xml("DescribeTags", f"<TagDescriptions>{members}</TagDescriptions>")

    def _deleted(self, call: Call) -> Reply:
        # AWS answers the same whether it was there or not.
        self.classics.discard(parse_qs(call.body.decode())["LoadBalancerName"][0])
        return _xml("DeleteLoadBalancer", "")


def _xml(operation: str, result: str) -> Reply:
    namespace = "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/"
    inner = f"<{operation}Result>{result}</{operation}Result>"
    body = f'<{operation}Response xmlns="{namespace}">{inner}</{operation}Response>'
    return Reply(200, {"Content-Type": "text/xml"}, body.encode())
