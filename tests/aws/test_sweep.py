"""What a destroyed installation left behind is found, and nothing of others is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from tests.aws.clock import HandClock
from tests.evidence.kept import Kept
from tests.terraform.emulated_account import OF_EC2, Account

from rollbook.aws.clients import Clients
from rollbook.aws.inventory import SOURCES, existing
from rollbook.aws.leftovers import remove_leftovers
from rollbook.aws.ownership import made_for, tags_of
from rollbook.aws.sweep import sweep
from rollbook.errors import BadInputError, EnvironmentFailedError

CLUSTER = "mine"
TAGS = {"project": "mine", "environment": "sandbox"}
REGION = "ca-central-1"
BALANCER = "elbv2.k8s.aws/cluster"
ZONE = f"{REGION}a"


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@dataclass(frozen=True)
class Place:
    """A VPC with a subnet, and clients of the account that it is in."""

    clients: Clients
    vpc: str
    subnet: str

    def balancer(self, name: str, tags: dict[str, str]) -> str:
        """A network load balancer in the subnet."""
        elbv2 = self.clients.of("elbv2")
        made = elbv2.create_load_balancer(
            Name=name,
            Type="network",
            Subnets=[self.subnet],
            Tags=listed(tags) or [{"Key": "a", "Value": "b"}],
        )
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def targets(self, name: str, tags: dict[str, str]) -> str:
        """A target group in the VPC."""
        elbv2 = self.clients.of("elbv2")
        made = elbv2.create_target_group(
            Name=name, Protocol="TCP", Port=80, VpcId=self.vpc, Tags=listed(tags)
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def firewall(self, name: str, tags: dict[str, str]) -> str:
        """A security group in the VPC."""
        ec2 = self.clients.of("ec2")
        made = ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        self.tag(made["GroupId"], tags)
        return str(made["GroupId"])

    def interface(self, tags: dict[str, str], description: str = "") -> str:
        """A network interface in the subnet."""
        ec2 = self.clients.of("ec2")
        made = ec2.create_network_interface(SubnetId=self.subnet, Description=description)
        name = str(made["NetworkInterface"]["NetworkInterfaceId"])
        self.tag(name, tags)
        return name

    def tag(self, name: str, tags: dict[str, str]) -> None:
        """Tags, where there are some."""
        if tags:
            self.clients.of("ec2").create_tags(Resources=[name], Tags=listed(tags))


def place(clients: Clients, cidr: str) -> Place:
    ec2 = clients.of("ec2")
    vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=ZONE)["Subnet"]["SubnetId"]
    return Place(clients, vpc, subnet)


@pytest.fixture(scope="module")
def clients(ministack: str) -> Clients:
    return Clients.emulating(ministack, region=REGION)


@pytest.fixture
def mine(clients: Clients) -> Place:
    return place(clients, "10.1.0.0/20")


@pytest.fixture
def others(clients: Clients) -> Place:
    return place(clients, "10.2.0.0/20")


@pytest.fixture(autouse=True)
def _tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """The account is shared by the session: what a test made is removed."""
    yield
    if "clients" not in request.fixturenames:
        return
    clients = request.getfixturevalue("clients")
    ec2, elbv2 = clients.of("ec2"), clients.of("elbv2")
    for one in elbv2.describe_load_balancers()["LoadBalancers"]:
        elbv2.delete_load_balancer(LoadBalancerArn=one["LoadBalancerArn"])
    for one in elbv2.describe_target_groups()["TargetGroups"]:
        elbv2.delete_target_group(TargetGroupArn=one["TargetGroupArn"])
    for one in ec2.describe_network_interfaces()["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=one["NetworkInterfaceId"])
    for one in ec2.describe_vpcs()["Vpcs"]:
        if one["IsDefault"]:
            continue
        of_it = [{"Name": "vpc-id", "Values": [one["VpcId"]]}]
        for group in ec2.describe_security_groups(Filters=of_it)["SecurityGroups"]:
            if group["GroupName"] != "default":
                ec2.delete_security_group(GroupId=group["GroupId"])
        for subnet in ec2.describe_subnets(Filters=of_it)["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.delete_vpc(VpcId=one["VpcId"])


@pytest.mark.sandbox
def test_what_controllers_left_is_removed_and_nothing_else(
    ministack: str, mine: Place, others: Place
) -> None:
    """Of two VPCs, each with things of two clusters and of nobody, only this cluster's in its VPC go."""
    made = {BALANCER: CLUSTER}
    gone = {
        mine.balancer("mine", made),
        mine.targets("mine", made),
        mine.firewall("mine", made),
        mine.interface({"cluster.k8s.amazonaws.com/name": CLUSTER}),
    }
    foreign = {BALANCER: "theirs"}
    stay = {
        mine.balancer("plain", {}),
        mine.balancer("foreign", foreign),
        mine.targets("foreign", foreign),
        mine.firewall("foreign", foreign),
        mine.firewall(
            "of-eks", {f"kubernetes.io/cluster/{CLUSTER}": "owned", "aws:eks:cluster-name": CLUSTER}
        ),
        mine.firewall("shared", {f"kubernetes.io/cluster/{CLUSTER}": "shared"}),
        mine.interface({}),
        others.balancer("same-name-elsewhere", made),
        others.targets("same-name-elsewhere", made),
        others.firewall("same-name-elsewhere", made),
        others.interface({"cluster.k8s.amazonaws.com/name": CLUSTER}),
    }
    before = seen(mine.clients)
    removed = remove_leftovers(mine.clients, cluster=CLUSTER, vpc=mine.vpc, clock=HandClock())

    assert gone == {one.id for one in removed.removed}
    assert () == removed.kept
    assert gone == before - seen(mine.clients)
    assert set() == stay - seen(mine.clients)
    again = remove_leftovers(mine.clients, cluster=CLUSTER, vpc=mine.vpc, clock=HandClock())
    assert ((), ()) == (again.removed, again.kept)


def seen(clients: Clients) -> set[str]:
    return {one.id for source in SOURCES for one in existing(clients, source, CLUSTER)}


@pytest.mark.sandbox
def test_a_group_that_others_name_in_their_rules_is_taken_out_first(mine: Place) -> None:
    """Only the rule that names it goes; what else the other group allows stays."""
    group = mine.firewall("mine", {BALANCER: CLUSTER})
    nodes = mine.firewall("nodes", {})
    ec2 = mine.clients.of("ec2")
    ports = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080}
    ec2.authorize_security_group_ingress(
        GroupId=nodes,
        IpPermissions=[{**ports, "UserIdGroupPairs": [{"GroupId": group}]}],
    )
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    ec2.authorize_security_group_ingress(
        GroupId=nodes, IpPermissions=[{**ssh, "IpRanges": [{"CidrIp": "10.20.0.0/16"}]}]
    )
    remove_leftovers(mine.clients, cluster=CLUSTER, vpc=mine.vpc, clock=HandClock())
    left = ec2.describe_security_groups(GroupIds=[nodes])["SecurityGroups"][0]["IpPermissions"]

    assert [22] == [rule["FromPort"] for rule in left]


@pytest.mark.sandbox
def test_an_interface_in_use_is_left_to_its_node(mine: Place) -> None:
    """It is told, and not torn off an instance."""
    name = mine.interface({"cluster.k8s.amazonaws.com/name": CLUSTER})
    mine.clients.of("ec2").attach_network_interface(
        NetworkInterfaceId=name, InstanceId="i-0123456789abcdef0", DeviceIndex=1
    )
    removed = remove_leftovers(mine.clients, cluster=CLUSTER, vpc=mine.vpc, clock=HandClock())

    assert [(name, "in use by i-0123456789abcdef0, and goes with it")] == [
        (one.resource.id, one.why) for one in removed.kept
    ]
    assert name in seen(mine.clients)


@pytest.mark.sandbox
def test_waiting_for_a_load_balancers_interfaces_has_an_end(mine: Place) -> None:
    """Interfaces that AWS does not take away are named when the time is over."""
    arn = mine.balancer("mine", {BALANCER: CLUSTER})
    name = mine.interface({}, f"ELB {arn.partition(':loadbalancer/')[2]}")
    clock = HandClock()
    with pytest.raises(EnvironmentFailedError, match=name) as caught:
        remove_leftovers(mine.clients, cluster=CLUSTER, vpc=mine.vpc, clock=clock, within_s=90)

    assert "after 90 s" in caught.value.what
    assert 90 == round(clock.monotonic())


@pytest.mark.sandbox
@pytest.mark.parametrize(("cluster", "vpc"), [("", "vpc-1"), ("mine", "")])
def test_nothing_is_removed_without_a_cluster_and_a_vpc(clients: Clients, cluster: str, vpc: str) -> None:
    """An output that is missing must not become a removal of everything."""
    with pytest.raises(BadInputError, match="without a cluster and a VPC"):
        remove_leftovers(clients, cluster=cluster, vpc=vpc, clock=HandClock())


@pytest.mark.sandbox
def test_a_sweep_finds_what_is_left_and_nothing_of_others(mine: Place, others: Place) -> None:
    """By the installation's tags and by those of its controllers; a part of the tags is not enough."""
    mine.tag(mine.vpc, TAGS)
    mine.tag(mine.subnet, {**TAGS, "Name": "mine-private"})
    others.tag(others.vpc, {"project": "mine"})
    wanted = {mine.vpc, mine.subnet, mine.balancer("mine", {BALANCER: CLUSTER})}
    others.balancer("theirs", {BALANCER: "theirs"})
    kept = Kept()
    swept = sweep(
        Clients.emulating(str(mine.clients.endpoint_url), region=REGION, records=kept),
        cluster=CLUSTER,
        tags=TAGS,
        clock=HandClock(),
    )

    assert wanted == {one.id for one in swept.left}
    assert not swept.clean
    assert swept.emulated
    assert "resourcegroupstaggingapi:GetResources" in {call for call, *_ in kept.all}


def things(clients: Clients) -> dict[str, Any]:
    """One of each kind that only other services have, with tags."""
    made = {
        "ecr_repository": clients.of("ecr").create_repository(repositoryName="mine", tags=listed(TAGS)),
        "secretsmanager_secret": clients.of("secretsmanager").create_secret(
            Name="mine/x", SecretString="x", Tags=listed(TAGS)
        ),
        "kms_key": clients.of("kms").create_key(
            Tags=[{"TagKey": key, "TagValue": value} for key, value in TAGS.items()]
        ),
        "iam_role": clients.of("iam").create_role(
            RoleName="mine-node", AssumeRolePolicyDocument="{}", Tags=listed(TAGS)
        ),
        "iam_openid_connect_provider": clients.of("iam").create_open_id_connect_provider(
            Url="https://example.org", Tags=listed(TAGS)
        ),
        "cloudwatch_log_group": clients.of("logs").create_log_group(
            logGroupName="/aws/eks/mine/cluster", tags=TAGS
        ),
        "eks_cluster": clients.of("eks").create_cluster(
            name="mine",
            roleArn="arn:aws:iam::000000000000:role/mine",
            resourcesVpcConfig={"subnetIds": []},
            tags=TAGS,
        ),
    }
    ec2 = clients.of("ec2")
    tagged: Any = [listed(TAGS)]
    made["eip"] = ec2.allocate_address(Domain="vpc")
    ec2.create_tags(Resources=[made["eip"]["AllocationId"]], Tags=tagged[0])
    made["ebs_volume"] = ec2.create_volume(AvailabilityZone=ZONE, Size=1)
    ec2.create_tags(Resources=[made["ebs_volume"]["VolumeId"]], Tags=tagged[0])
    return made


def drop(clients: Clients, made: dict[str, Any]) -> None:
    """Ends what `things` made, as a destroy does."""
    clients.of("ecr").delete_repository(repositoryName="mine", force=True)
    clients.of("secretsmanager").delete_secret(SecretId="mine/x")
    clients.of("kms").schedule_key_deletion(KeyId=made["kms_key"]["KeyMetadata"]["KeyId"])
    clients.of("iam").delete_role(RoleName="mine-node")
    clients.of("iam").delete_open_id_connect_provider(
        OpenIDConnectProviderArn=made["iam_openid_connect_provider"]["OpenIDConnectProviderArn"]
    )
    clients.of("logs").delete_log_group(logGroupName="/aws/eks/mine/cluster")
    clients.of("eks").delete_cluster(name="mine")
    clients.of("ec2").release_address(AllocationId=made["eip"]["AllocationId"])
    clients.of("ec2").delete_volume(VolumeId=made["ebs_volume"]["VolumeId"])


@pytest.mark.sandbox
def test_each_service_is_asked_itself(clients: Clients) -> None:
    """One of each kind is found while it exists; a key or a secret that waits for its end is not."""
    made = things(clients)
    swept = sweep(clients, cluster=CLUSTER, tags=TAGS, clock=HandClock(), within_s=0)
    drop(clients, made)
    after = sweep(clients, cluster=CLUSTER, tags=TAGS, clock=HandClock(), within_s=0)

    assert set(made) == {one.kind for one in swept.left}
    assert () == after.left
    assert after.clean


@pytest.mark.sandbox
def test_a_sweep_agrees_with_the_account(ministack: str, mine: Place) -> None:
    """Another listing of the same account knows nothing of the network that the inventory does not."""
    mine.interface({})
    of_ec2 = {kind for kind, _ in OF_EC2}
    everything = [name.partition(" ") for name in Account(ministack, REGION).everything()]
    assert mine.vpc in seen(mine.clients)
    assert set() == {one for kind, _, one in everything if kind in of_ec2} - seen(mine.clients)


def test_load_balancers_of_the_first_generation_go_too() -> None:
    """The emulator has none; asked and deleted by name, within the VPC only."""
    clients = Clients(boto3.session.Session("a", "b", region_name=REGION))
    ec2, elb, elbv2 = (Stubber(clients.of(name)) for name in ("ec2", "elb", "elbv2"))
    classics = {
        "LoadBalancerDescriptions": [
            {"LoadBalancerName": "a1", "VPCId": "vpc-1"},
            {"LoadBalancerName": "a2", "VPCId": "vpc-2"},
        ]
    }
    owned = [{"Key": f"kubernetes.io/cluster/{CLUSTER}", "Value": "owned"}]
    described = [{"LoadBalancerName": name, "Tags": owned} for name in ("a1", "a2")]
    ec2.add_response("describe_subnets", {"Subnets": []})
    elbv2.add_response("describe_load_balancers", {"LoadBalancers": []})
    elb.add_response("describe_load_balancers", classics)
    elbv2.add_response("describe_target_groups", {"TargetGroups": []})
    elbv2.add_response("describe_load_balancers", {"LoadBalancers": []})
    elb.add_response("describe_load_balancers", classics)
    elb.add_response("describe_tags", {"TagDescriptions": described}, {"LoadBalancerNames": ["a1", "a2"]})
    elbv2.add_response("describe_target_groups", {"TargetGroups": []})
    ec2.add_response("describe_security_groups", {"SecurityGroups": []})
    elb.add_response("delete_load_balancer", {}, {"LoadBalancerName": "a1"})
    held = {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Description": "ELB a1"}]}
    ec2.add_response("describe_network_interfaces", held)
    ec2.add_response("describe_network_interfaces", {"NetworkInterfaces": []})
    ec2.add_response("describe_network_interfaces", {"NetworkInterfaces": []})
    with ec2, elb, elbv2:
        removed = remove_leftovers(clients, cluster=CLUSTER, vpc="vpc-1", clock=HandClock())

    assert ["elb a1"] == [str(one) for one in removed.removed]
    for stub in (ec2, elb, elbv2):
        stub.assert_no_pending_responses()


def test_what_holds_on_to_a_group_is_waited_for() -> None:
    """A dependency that goes away within the time is no failure, and one that has gone already is done."""
    clients = Clients(boto3.session.Session("a", "b", region_name=REGION))
    ec2, elb, elbv2 = (Stubber(clients.of(name)) for name in ("ec2", "elb", "elbv2"))
    tags = listed({BALANCER: CLUSTER})
    group = {"SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "Tags": tags}]}
    ec2.add_response("describe_subnets", {"Subnets": []})
    for _ in range(2):
        elbv2.add_response("describe_load_balancers", {"LoadBalancers": []})
        elb.add_response("describe_load_balancers", {"LoadBalancerDescriptions": []})
        elbv2.add_response("describe_target_groups", {"TargetGroups": []})
    ec2.add_response("describe_security_groups", group)
    ec2.add_response("describe_network_interfaces", {"NetworkInterfaces": []})
    ec2.add_response("describe_security_groups", group)
    ec2.add_client_error("delete_security_group", "DependencyViolation")
    ec2.add_client_error("delete_security_group", "InvalidGroup.NotFound")
    with ec2, elb, elbv2:
        removed = remove_leftovers(clients, cluster=CLUSTER, vpc="vpc-1", clock=HandClock())

    assert ["security_group sg-1"] == [str(one) for one in removed.removed]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({BALANCER: CLUSTER}, True),
        ({BALANCER: "theirs"}, False),
        ({f"kubernetes.io/cluster/{CLUSTER}": "owned"}, True),
        ({f"kubernetes.io/cluster/{CLUSTER}": "shared"}, False),
        ({"eks:eks-cluster-name": CLUSTER}, True),
        ({"KubernetesCluster": CLUSTER}, True),
        ({}, False),
    ],
)
def test_whose_it_is(tags: dict[str, str], expected: bool) -> None:
    """Each controller's way to say for which cluster it made something."""
    assert expected == made_for(tags, CLUSTER)
    assert not made_for(tags, "")


def test_tags_in_every_spelling() -> None:
    """KMS, ECS, EC2 and EKS each have their own."""
    expected = {"a": "b"}
    assert expected == tags_of([{"TagKey": "a", "TagValue": "b"}]) == tags_of([{"Key": "a", "Value": "b"}])
    assert expected == tags_of([{"key": "a", "value": "b"}]) == tags_of({"a": "b"})
    assert {} == tags_of(None)
