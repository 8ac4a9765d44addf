"""People of a running product: they sign in by a session, and read pages in their language."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import requests

from tests.processes.stack import Stack

_MAKE = """
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from coc_admin.models import Profile
for name, sites in {people!r}.items():
    user = User.objects.create(username=name)
    user.groups.set(Group.objects.filter(name__iexact="operator"))
    profile = Profile.objects.create(user=user, every_site=not sites)
    profile.sites.set(sites)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print("session", name, session.session_key)
"""


@dataclass(slots=True)
class Person:
    """An operator in front of the console."""

    stack: Stack
    key: str

    def get(self, path: str, *, language: str = "en") -> str:
        """Return a page as text: without its elements, one space between words."""
        answer = requests.get(self._url(path), headers=self._headers(language), timeout=60)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())

    def post(self, path: str, **fields: str) -> str:
        """Send a form; return where it leads."""
        headers = self._headers("en")
        page = requests.get(self._url(path), headers=headers, timeout=60)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None, path
        cookie = f"{headers['Cookie']}; coc_csrf={page.cookies['coc_csrf']}"
        answer = requests.post(
            self._url(path),
            data={"csrfmiddlewaretoken": token[1], **fields},
            headers={**headers, "Cookie": cookie, "Referer": self._url(path)},
            timeout=60,
            allow_redirects=False,
        )
        assert answer.status_code == 302, f"{path}: {answer.status_code} {answer.text[-3000:]}"
        return answer.headers["Location"]

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.stack.env['PORT']}{path}"

    def _headers(self, language: str) -> dict[str, str]:
        return {"Cookie": f"coc_session={self.key}", "Accept-Language": language}


def make_people(stack: Stack, **sites: list[str]) -> dict[str, Person]:
    """Create an operator for each name, of these sites; of every site without any."""
    printed = stack.manage("shell", "--no-imports", "-c", _MAKE.format(people=sites))
    found = re.findall(r"^session (\S+) (\S+)$", printed, re.MULTILINE)
    return {name: Person(stack, key) for name, key in found}
