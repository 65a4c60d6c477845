"""The addresses of the dashboard. Everything of a project lies below its own."""

from django.urls import URLPattern, URLResolver, include, path

from apps.dashboard.views import (
    audit,
    batches,
    budgets,
    capabilities,
    everywhere,
    home,
    jobs,
    keys,
    members,
    overview,
    playground,
    refused,
)

app_name = "dashboard"
of_a_project: list[URLPattern | URLResolver] = [
    path("", overview.overview, name="overview"),
    path("search", home.search, name="search"),
    path("jobs", jobs.index, name="jobs"),
    path("jobs/<str:job_id>", jobs.one, name="job"),
    path("jobs/<str:job_id>/cancel", jobs.cancel, name="job-cancel"),
    path("jobs/<str:job_id>/approvals/<str:call_id>", jobs.decide, name="job-decide"),
    path("jobs/<str:job_id>/artifacts/<path:name>", jobs.artifact, name="job-artifact"),
    path("refused", refused.index, name="refused"),
    path("batches", batches.index, name="batches"),
    path("batches/<str:batch_id>", batches.one, name="batch"),
    path("batches/<str:batch_id>/cancel", batches.cancel, name="batch-cancel"),
    path("capabilities", capabilities.index, name="capabilities"),
    path("playground", playground.index, name="playground"),
    path("playground/ticket", playground.ticket, name="playground-ticket"),
    path("keys", keys.index, name="keys"),
    path("keys/new", keys.new, name="key-new"),
    path("keys/<str:public_id>", keys.one, name="key"),
    path("keys/<str:public_id>/change", keys.change, name="key-change"),
    path("keys/<str:public_id>/rotate", keys.rotate, name="key-rotate"),
    path("keys/<str:public_id>/revoke", keys.revoke, name="key-revoke"),
    path("budgets", budgets.index, name="budgets"),
    path("budgets/new", budgets.new, name="budget-new"),
    path("budgets/<int:budget_id>", budgets.one, name="budget"),
    path("budgets/<int:budget_id>/change", budgets.change, name="budget-change"),
    path("budgets/<int:budget_id>/increase", budgets.increase, name="budget-increase"),
    path("budgets/<int:budget_id>/switch", budgets.switch, name="budget-switch"),
    path("budgets/<int:budget_id>/holds/<int:hold_id>/release", budgets.release, name="hold-release"),
    path("members", members.index, name="members"),
    path("members/add", members.add, name="member-add"),
    path("members/<int:member_id>/change", members.change, name="member-change"),
    path("members/<int:member_id>/remove", members.remove, name="member-remove"),
    path("audit", audit.index, name="audit"),
]
of_all: list[URLPattern | URLResolver] = [
    path("", everywhere.overview, name="all"),
    path("jobs", everywhere.jobs, name="all-jobs"),
    path("search", everywhere.search, name="all-search"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("all/", include(of_all)),
    path("p/<slug:slug>/", include(of_a_project)),
]
