"""The wearer's frame: which way is up, and which is forward, in the axes of a worn phone.

A person who walks is upright and goes forward. Both can be seen in any phone's samples, however it
is worn; what was learnt while walking says later how a person sits, stands or lies. `gait` finds
where somebody walks, `stride` what one look at the gait shows, `wearers` what is learnt of it.
"""
