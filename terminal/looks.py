"""How the screens are laid out, in Textual's style sheet language. The tiles colour themselves."""

CSS = """
Screen { background: #0d1117; color: #c9d1d9; layout: vertical; }
Dialog { background: #0d1117 60%; layout: vertical; }

Banner { height: 1; width: 100%; background: #ff8c00; color: #000000; text-style: bold; text-align: center; }
Head { height: 1; background: #21262d; }
Head Line { width: auto; height: 1; }
Head #station { width: 1fr; text-style: bold; color: #ffffff; }
Head #link { background: #d1242f; color: #ffffff; text-style: bold; margin-right: 2; }
Head #headquarters { color: #8b949e; margin-right: 2; }
Head #headquarters.-down { color: #ffd400; text-style: bold; }

#tiles { height: 1fr; layout: grid; grid-gutter: 0 1; grid-rows: 1fr; }
#tiles Tile { height: 100%; max-height: 12; background: #171b20; }

Banner, Troubles, #link, #elsewhere { display: none; }
#elsewhere { height: 1; color: #8b949e; }
Troubles { height: auto; max-height: 2; color: #ffd400; }
Status { height: 1; background: #21262d; color: #ffffff; text-style: bold; }
Status #echo { width: auto; min-width: 6; max-width: 18; color: #ffd400; }
Status #offer { width: 1fr; height: 1; }
Result { height: 1; color: #7ee787; }
Result.-bad { color: #ff7b72; text-style: bold; }

KeyBar { height: auto; dock: bottom; background: #0d1117; }
.keys { height: 1; }
KeyButton { width: auto; height: 1; padding: 0 1; margin-right: 1; background: #21262d; }
KeyButton:hover { background: #388bfd; color: #ffffff; }
#key-f12 { background: #d1242f; color: #ffffff; text-style: bold; dock: right; margin-right: 0; }

.panel { background: #161b22; padding: 0 2; height: 1fr; width: 100%; max-width: 91; max-height: 24; }
.name { color: #8b949e; height: 1; }
.large { height: 3; width: 100%; color: #ffffff; text-style: bold; }
#sums { width: 1fr; height: 100%; }
#what { text-style: bold; height: 1; margin-bottom: 1; text-wrap: nowrap; text-overflow: ellipsis; }
#change { color: #7ee787; }
#says { color: #8b949e; margin-top: 1; height: auto; }
#paper { width: 44; height: 100%; background: #f2f2f2; color: #000000; padding: 0 1; display: none; }
#receipt { width: auto; height: auto; }
#entry { padding: 1 2; }
#choices { padding: 1 2; }
.choice { height: 1; color: #ffffff; }
.choice.-chosen { color: #7ee787; text-style: bold; }
#choice-title { margin-bottom: 1; }
#choice-hint { margin-top: 1; }
#field { border: none; height: 1; padding: 0; margin: 1 0; background: #0d1117; color: #ffffff; text-style: bold; }
#paper-title { margin-bottom: 1; }
#paper-text { width: auto; height: auto; }
"""
