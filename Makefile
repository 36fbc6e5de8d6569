SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
CHECKOV_VENV := .venv-checkov
SAM := SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam
# infra/observability.yaml uses Fn::ForEach. samconfig.toml says so too, but SAM looks for it beside the template.
export SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS := 1

RED := $(if $(NO_COLOR),,\033[31m)
PLAIN := $(if $(NO_COLOR),,\033[0m)
# $(call step,name,command): say what is being done and, where it goes wrong, which step it was.
step = @echo '▸ $(1)'; $(2) || { printf '$(RED)%s$(PLAIN)\n' '✗ failed: $(1)' >&2; exit 1; }

COMMA := ,
INSTALL := $(BIN)/pip install --disable-pip-version-check --progress-bar off -q
OWN_REQUIREMENTS := $(sort $(wildcard functions/*/requirements.txt))

help: ## list the commands
	@grep -hE '^[a-z][a-zA-Z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.ready ## create .venv with everything a developer needs

$(VENV)/.ready: tests/requirements.txt requirements.txt $(OWN_REQUIREMENTS) infra/local/requirements.txt infra/local/qstash/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV), once; about a minute"
	$(call step,virtual environment,$(PYTHON) -m venv $(VENV))
	$(call step,packages of the product (1 of 3),$(INSTALL) -r requirements.txt $(OWN_REQUIREMENTS:%=-r %))
	$(call step,packages of the local cloud$(COMMA) Postgres among them (2 of 3),$(INSTALL) -r infra/local/requirements.txt)
	$(call step,packages that check and test (3 of 3),$(INSTALL) -r tests/requirements.txt)
	@touch $@

demo: setup ## start everything on this machine, run each job once, show what it made, stop
	@$(BIN)/python -m infra.local.demo

dev: setup ## the local cloud, staying up; functions restart when their code changes (FRESH=1: with an empty database)
	@$(BIN)/python -m infra.local.dev $(if $(FRESH),--fresh)

qstash: setup ## the local QStash alone, on port 8080 (ARGS="--state file" and more: see infra/local/qstash/README.md)
	@$(BIN)/python -m infra.local.qstash $(ARGS)

shell: setup ## a Python prompt connected to the running make dev
	@$(BIN)/python -m infra.local.shell

jobs: setup ## see jobs and act on them over the HTTP API (ARGS="list --status failed"; docs/command-line.md)
	@$(BIN)/python -m infra.cli $(or $(ARGS),--help)

# $(call send,source): one event, to make dev or to the receiver at URL, which SECRET is its sender's at.
send = @$(BIN)/python -m infra.webhooks $(1) $(if $(TYPE),--type "$(TYPE)") $(if $(FILE),--file "$(FILE)") $(if $(URL),--url "$(URL)") $(if $(SECRET),--secret "$(SECRET)")

stripe-event: setup ## send an event as Stripe does (TYPE=invoice.paid ORGANIZATION=1; URL= and SECRET= of a stack; FILE=body)
	$(call send,stripe) $(if $(ORGANIZATION),--organization "$(ORGANIZATION)")

resend-event: setup ## send an event as Resend does (TYPE=email.bounced TO=ada@example.com; URL=, SECRET=, FILE= as above)
	$(call send,resend) $(if $(TO),--to "$(TO)")

github-event: setup ## send an event as GitHub does (TYPE=push; URL=, SECRET=, FILE= as above)
	$(call send,github)

custom-event: setup ## send an event of a custom sender (NAME=accounting; URL=, SECRET=, FILE= as above)
	$(call send,custom) $(if $(NAME),--type "$(NAME)")

migrate: setup ## bring the database at DATABASE_URL up to date
	@$(BIN)/python -m infra.migrations

schedules: setup ## bring template.yaml's schedules to make dev's QStash (ENV=staging: to a stack's; DRY=1: only tell)
	@$(BIN)/python -m infra.schedules $(if $(ENV),--env "$(ENV)") $(if $(DRY),--dry-run)

deploy: setup $(SAM_VENV)/.ready ## build and deploy: ENV=dev, staging or production, an environment of samconfig.toml
	@$(BIN)/python -m infra.deployment deploy --env "$(ENV)"

secrets: setup ## fill in a stack's secrets, check them, migrate, schedule (ENV=dev; values are asked for or from the environment)
	@$(BIN)/python -m infra.deployment secrets --env "$(ENV)" $(if $(UNCHECKED),--unchecked)

doctor: setup ## check a deployed stack from end to end, a line each (ENV=dev; without ENV the running make dev)
	@$(BIN)/python -m infra.deployment doctor --env "$(ENV)"

destroy: setup ## delete a stack, after its name was typed, and say what is kept (ENV=dev)
	@$(BIN)/python -m infra.deployment destroy --env "$(ENV)"

sam-local: setup $(SAM_VENV)/.ready ## build, and invoke every function in a container (ONLY=PingFunction for one; skipped without Docker)
	@$(BIN)/python -m infra.sam_local --python "$(PY313)" $(if $(ONLY),--only "$(ONLY)")

event: setup ## print a function's event, signed for five minutes: make -s event JOB=send-email | sam local invoke SendEmailFunction -e -
	@$(BIN)/python -m infra.signed_events "$(JOB)" $(if $(PAYLOAD),--payload '$(PAYLOAD)')

new-job: setup ## write a new job type's files and entries (NAME=send_sms; DESCRIPTION=, RETRIES=, TIMEOUT=, MEMORY=, PARALLELISM=)
	@$(BIN)/python -m infra.new_job "$(NAME)" $(if $(DESCRIPTION),--description "$(DESCRIPTION)") $(if $(RETRIES),--retries "$(RETRIES)") $(if $(TIMEOUT),--timeout "$(TIMEOUT)") $(if $(MEMORY),--memory "$(MEMORY)") $(if $(PARALLELISM),--parallelism "$(PARALLELISM)")

seed: setup ## fill the application's tables with example data (SIZE=small, medium, large or a number)
	@$(BIN)/python -m infra.seed --size "$(or $(SIZE),small)" $(if $(ROWS),--rows "$(ROWS)") $(if $(NOW),--now "$(NOW)")

payload-key: setup ## print a new key for sensitive payloads, as PAYLOAD_KEYS takes it
	@$(BIN)/python -m infra.payload_keys

payload-key-use: setup ## count what is sealed under each key, in the database at DATABASE_URL
	@$(BIN)/python -m infra.payload_keys --use

api-key: setup ## print a key of the HTTP API and its entry (NAME=who, RIGHTS=read or write, ORGANIZATION=one)
	@$(BIN)/python -m infra.api_keys "$(NAME)" $(if $(RIGHTS),--rights "$(RIGHTS)") $(if $(ORGANIZATION),--organization "$(ORGANIZATION)")

openapi: setup ## write the HTTP API's document anew, from its routes
	@$(BIN)/python -m infra.api_document

reference: setup ## write docs/reference.md and docs/http-reference.md anew, from the code
	@$(BIN)/python -m infra.reference

test: setup $(SAM_VENV)/.ready ## run every test (ARGS="-k name" for some)
	$(call step,tests,$(BIN)/pytest -n auto --dist loadfile $(ARGS))

test-pooler: setup ## run the integration tests behind PgBouncer (apt-get install pgbouncer)
	$(call step,integration tests behind PgBouncer,TEST_POOLER=1 $(BIN)/pytest -s tests/pooler)

DELIVERIES ?= 2000

chaos: setup ## break everything at random moments and check the contract (DELIVERIES=2000, SEED=random, REPORT=file)
	@$(BIN)/python -m tests.chaos --deliveries $(DELIVERIES) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report $(REPORT))

REQUESTS ?= 10000

fuzz-webhooks: setup ## send the receiver random and mutated requests (REQUESTS=10000, SEED=random)
	@$(BIN)/python -m tests.fuzz --requests $(REQUESTS) $(if $(SEED),--seed $(SEED))

fuzz-api: setup ## send generated requests to the HTTP API and check every answer (REQUESTS=10000, SEED=1)
	@$(BIN)/python -m tests.fuzz_api --requests $(REQUESTS) $(if $(SEED),--seed $(SEED))

check: setup $(SAM_VENV)/.ready $(CHECKOV_VENV)/.ready ## check format, lint, types and the template
	$(call step,format (make format mends it),$(BIN)/ruff format --check --quiet .)
	$(call step,lint,$(BIN)/ruff check --quiet .)
	$(call step,types,$(BIN)/mypy)
	$(call step,template,$(SAM) validate --lint)
	$(call step,templates: serverless rules,$(SAM_VENV)/bin/cfn-lint -a cfn_lint_serverless.rules -i $(UNWANTED_RULES) -t $(TEMPLATES))
	$(call step,templates: security,LOG_LEVEL=ERROR $(CHECKOV_VENV)/bin/checkov --config-file infra/checkov.yaml $(TEMPLATES:%=--file %))
	$(call step,template: schedules,$(BIN)/python -m infra.schedules --check)

format: setup ## format the code and mend what the linter can
	$(call step,format,$(BIN)/ruff format --quiet .)
	$(call step,lint,$(BIN)/ruff check --quiet --fix .)

TEMPLATES := template.yaml infra/observability.yaml
# WS1000 wants X-Ray on, WS1004 log groups found by name (ours are named in LoggingConfig; tests/artifact holds them),
# ES7000 a dead letter queue for the mails of alarms.
UNWANTED_RULES := WS1000 WS1004 ES7000

.PHONY: help setup demo dev qstash shell jobs migrate schedules deploy secrets doctor destroy sam-local event seed payload-key payload-key-use api-key openapi reference test test-pooler chaos check format
.PHONY: stripe-event resend-event github-event custom-event fuzz-webhooks fuzz-api new-job

# ---- Building for Lambda ----------------------------------------------------------------------------------------
# `sam build` calls build-SharedLayer and build-NameFunction below for the resources of those names in template.yaml.
# No Python but the one that runs this is needed; a Python 3.13 adds bytecode.

ARCH ?= arm64
BUILD_DIR ?= .aws-sam/build
PYTHON_VERSION := 3.13

build: $(SAM_VENV)/.ready ## build what is deployed (ARCH=x86_64 for Intel; arm64 is the default)
	$(call step,build for $(ARCH) into $(BUILD_DIR),$(SAM) build --build-dir "$(BUILD_DIR)" --parameter-overrides Architecture=$(ARCH))

# The checksum: SAM compares templates, not parameters' values, before it publishes a version. Through the layer, a new
# value in samconfig.toml becomes a new version too, else the functions' alias would go on with the old one.
build-SharedLayer:
	$(call step,layer: packages for python$(PYTHON_VERSION) on $(TARGET),$(call install,requirements.txt,$(ARTIFACTS_DIR)/python))
	$(call step,layer: shared/,$(call copy,shared,$(ARTIFACTS_DIR)/python))
	$(call compile,layer,/opt)
	$(call step,layer: checksum of the parameters,cksum samconfig.toml > "$(ARTIFACTS_DIR)/parameters.cksum")

build-%Function:
	$(call step,$*: functions/$(FOLDER),$(call copy,functions/__init__.py functions/$(FOLDER) $(ALSO_$(FOLDER)),$(ARTIFACTS_DIR)))
	$(if $(wildcard functions/$(FOLDER)/requirements.txt),$(call step,$*: packages for python$(PYTHON_VERSION) on $(TARGET),$(call install,functions/$(FOLDER)/requirements.txt,$(ARTIFACTS_DIR))))
	$(call compile,$*,/var/task)

# What a function takes along beside its own folder: a deploy runs the migrations and keeps the schedules.
ALSO_provision := infra/__init__.py infra/migrations infra/schedules

FOLDER = $(shell sed -E 's/([a-z0-9])([A-Z])/\1_\2/g' <<< '$*' | tr '[:upper:]' '[:lower:]')

# SAM does not tell a Makefile for which architecture it builds: read the command it was called with, else believe ARCH.
ASKED_OF_SAM = $(shell ps -ww -o args= -p "$$(ps -o ppid= -p $$PPID | tr -d ' ')" 2>/dev/null | sed -nE 's/.*Architecture(=|,ParameterValue=)"?(arm64|x86_64).*/\2/p')
TARGET = $(or $(ASKED_OF_SAM),$(ARCH))
MACHINE_arm64 := aarch64
MACHINE_x86_64 := x86_64
MACHINE = $(or $(MACHINE_$(TARGET)),$(error ARCH must be arm64 or x86_64, not $(TARGET)))
# All three, or pip settles for older packages: Lambda's glibc is 2.34, and newer wheels no longer claim 2014.
PLATFORMS = $(foreach glibc,manylinux_2_34 manylinux_2_28 manylinux2014,--platform $(glibc)_$(MACHINE))

PIP ?= $(firstword $(wildcard $(SAM_VENV)/bin/python) $(PYTHON)) -m pip
# --no-compile: bytecode of the Python that happens to run pip would be dead weight.
install = $(PIP) install --quiet --disable-pip-version-check --no-compile --only-binary=:all: --implementation cp --python-version $(PYTHON_VERSION) $(PLATFORMS) --target "$(2)" -r $(1) && rm -rf "$(2)/bin"
# shared/testing is the test kit, which applications install and nothing deployed has a use for.
copy = mkdir -p "$(2)" && tar -cf - --exclude __pycache__ --exclude tests --exclude shared/testing --exclude requirements.txt $(1) | tar -xf - -C "$(2)"

# A Python of Lambda's version that really runs (a pyenv shim may not): only its bytecode counts there.
PY313 ?= $(shell for python in python$(PYTHON_VERSION) "$$HOME"/.pyenv/versions/$(PYTHON_VERSION)*/bin/python$(PYTHON_VERSION); do "$$python" -c 'import sys; print(sys.executable)' 2>/dev/null && break; done)
# unchecked-hash: packaging changes the timestamps that other bytecode is checked against.
compile = $(if $(PY313),$(call step,$(1): bytecode,$(PY313) -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p $(2) "$(ARTIFACTS_DIR)"),@printf '$(RED)%s$(PLAIN)\n' '! $(1): no Python $(PYTHON_VERSION) found, so no bytecode: cold starts will take more than twice as long. Set PY313=/path/to/python$(PYTHON_VERSION)')

which-python: # the Python that makes bytecode, for tests/artifact
	@echo "$(PY313)"

$(SAM_VENV)/.ready: infra/requirements-sam.txt
	$(call step,set up $(SAM_VENV): the SAM CLI (once; about a minute),$(PYTHON) -m venv $(SAM_VENV) && $(SAM_VENV)/bin/pip install --disable-pip-version-check --progress-bar off -q -r $<)
	@touch $@

$(CHECKOV_VENV)/.ready: infra/requirements-checkov.txt
	$(call step,set up $(CHECKOV_VENV): the security checker of templates (once; about a minute),$(PYTHON) -m venv $(CHECKOV_VENV) && $(CHECKOV_VENV)/bin/pip install --disable-pip-version-check --progress-bar off -q -r $<)
	@touch $@

.PHONY: build build-SharedLayer which-python
