"""Every Protocol the core needs from outside. Adapters live in sip, media, speech, actions, desk, store, web;
``ivr.service`` wires them. Siblings never import each other: they meet here.
"""

from ivr.dialogue.understanding.grammar import DigitRun as DigitRun
from ivr.dialogue.understanding.grammar import SpeechGrammar as SpeechGrammar
from ivr.media.clip import Clip as Clip
from ivr.media.clip import LegStats as LegStats
from ivr.ports.actions import ActionCall as ActionCall
from ivr.ports.actions import Actions as Actions
from ivr.ports.actions import Callback as Callback
from ivr.ports.actions import Callbacks as Callbacks
from ivr.ports.actions import VerificationTries as VerificationTries
from ivr.ports.clock import Clock as Clock
from ivr.ports.desk import ContextStore as ContextStore
from ivr.ports.desk import Desk as Desk
from ivr.ports.desk import Destination as Destination
from ivr.ports.media import MediaEngine as MediaEngine
from ivr.ports.media import MediaLeg as MediaLeg
from ivr.ports.records import CallOpening as CallOpening
from ivr.ports.records import CallRecords as CallRecords
from ivr.ports.records import FlowVersion as FlowVersion
from ivr.ports.records import Publication as Publication
from ivr.ports.records import ResumePoints as ResumePoints
from ivr.ports.speech import Ears as Ears
from ivr.ports.speech import EngineStatus as EngineStatus
from ivr.ports.speech import ListenRequest as ListenRequest
from ivr.ports.speech import SpeechService as SpeechService
from ivr.ports.telephony import Leg as Leg
from ivr.ports.telephony import LegEvent as LegEvent
from ivr.ports.telephony import MediaChanged as MediaChanged
from ivr.ports.telephony import RegistrationStatus as RegistrationStatus
from ivr.ports.telephony import SignallingLoad as SignallingLoad
from ivr.ports.telephony import SipEndpoint as SipEndpoint
from ivr.record import HandoffContext as HandoffContext
from ivr.record import Party as Party
