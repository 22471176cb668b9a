"""Who shows this screen elsewhere or records it, which takes CPU, GPU and often the video encoder."""

from __future__ import annotations

from capbench.harness.machine.conditions.condition_sources import MachineSources

__all__ = ["SHARING_PROGRAMS", "read_screen_sharing"]

SHARING_PROGRAMS = {
    **dict.fromkeys(("rdpclip", "xrdp-chansrv"), "a Remote Desktop session"),
    **dict.fromkeys(("gnome-remote-desktop-daemon", "krfb", "vino-server", "wayvnc"), "desktop sharing"),
    **dict.fromkeys(("screensharingd", "screensharingagent"), "macOS screen sharing"),
    **dict.fromkeys(
        ("xvnc", "xtigervnc", "x11vnc", "x0vncserver", "winvnc", "winvnc4", "tvnserver", "vncserver", "vncserver-x11"),
        "a VNC server",
    ),
    **dict.fromkeys(("parsecd", "parsec"), "Parsec"),
    **dict.fromkeys(("teamviewer_desktop",), "a TeamViewer session"),
    **dict.fromkeys(("anydesk",), "AnyDesk"),
    **dict.fromkeys(("rustdesk",), "RustDesk"),
    **dict.fromkeys(("sunshine", "nvstreamer"), "game streaming"),
    **dict.fromkeys(("remoting_host", "chrome-remote-desktop-host"), "Chrome Remote Desktop"),
    **dict.fromkeys(("nvidia share", "nvcontainer-recorder"), "NVIDIA's recorder"),
    **dict.fromkeys(("obs", "obs64"), "OBS Studio"),
}
"""Name of a process, in lower case and without `.exe`, to what it means. A service that only waits for connections
has another name where the program keeps the two apart; where it does not, it may be idle."""


def read_screen_sharing(sources: MachineSources) -> dict[str, object]:
    """`screen_sharing`: what shares or records the screen, as far as process names and this session tell."""
    found = {_named(name) for name in sources.process_names().values()} - {None}
    session = sources.environ.get("SESSIONNAME", "")
    if session.upper().startswith("RDP-") or "XRDP_SESSION" in sources.environ:
        found.add("a Remote Desktop session")
    return {"screen_sharing": tuple(sorted(name for name in found if name is not None))}


def _named(process_name: str) -> str | None:
    return SHARING_PROGRAMS.get(process_name.lower().removesuffix(".exe"))
