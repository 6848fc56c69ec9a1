"""Runs tests of Python's own suite and prints what became of each: a line `ok NAME`, `failed NAME` or `skipped NAME`.

usage: python-suite.py SECONDS NAME|-PATTERN...

Tests that match a PATTERN are left out. One that takes longer than SECONDS has a line `began NAME` only, and the
rest goes on in another process.
"""

import faulthandler
import fnmatch
import logging
import os
import subprocess
import sys
import tempfile
import unittest
import warnings

from test import support


class Report(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.outcome = 'ok'
        print('began', test.id(), flush=True)
        faulthandler.dump_traceback_later(limit, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        print(self.outcome, test.id(), flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcome = 'skipped'

    def addError(self, test, err):
        super().addError(test, err)
        self.fails(test, self.errors)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.fails(test, self.failures)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.fails(test, self.failures if issubclass(err[0], test.failureException) else self.errors)

    def fails(self, test, traces):
        self.outcome = 'failed'
        print(test.id(), traces[-1][1], sep='\n', file=sys.stderr, flush=True)


def flatten(tests):
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def run(names):
    logging.disable()
    warnings.simplefilter('ignore')
    support.use_resources = ['network']
    unittest.defaultTestLoader.loadTestsFromNames(names).run(Report())

    # Threads that a failed test left behind would hold up the end.
    sys.stdout.flush()
    os._exit(0)


limit = float(sys.argv[1])
if sys.argv[2] == '--now':
    run(sys.stdin.read().split())
excluded = [word[1:] for word in sys.argv[2:] if word.startswith('-')]
left = [
    test.id()
    for test in flatten(unittest.defaultTestLoader.loadTestsFromNames(word for word in sys.argv[2:] if not word.startswith('-')))
    if not any(fnmatch.fnmatch(test.id(), pattern) for pattern in excluded)
]
while left:
    with tempfile.TemporaryFile('w+') as ids:
        ids.write('\n'.join(left))
        ids.seek(0)
        with subprocess.Popen([sys.executable, '-B', __file__, sys.argv[1], '--now'], stdin=ids, stdout=subprocess.PIPE, text=True) as worker:
            began = None
            for line in worker.stdout:
                print(line, end='', flush=True)
                if line.startswith('began '):
                    began = line.split()[1]
    left = left[left.index(began) + 1:] if worker.returncode != 0 and began in left else []
