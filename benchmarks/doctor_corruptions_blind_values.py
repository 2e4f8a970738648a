"""Made-up numbers, names, addresses and sentences for doctor_corruptions_blind.py; none of them belongs to anybody."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta

SPOKEN = "공일이삼사오육칠팔구"


def digits(count: int, rng: random.Random) -> str:
    return "".join(rng.choices("0123456789", k=count))


def fill(pattern: str, rng: random.Random) -> str:
    """The pattern with a digit for each #, 2 to 9 for each %."""
    return re.sub("[#%]", lambda m: rng.choice("0123456789" if m[0] == "#" else "23456789"), pattern)


# -- numbers of people ------------------------------------------------------------------------------
def birth(rng: random.Random, first: int = 1945, last: int = 2015) -> date:
    return date(first, 1, 1) + timedelta(days=rng.randrange((last - first) * 365))


def with_check(number: str, base: int) -> str:
    total = sum(int(digit) * weight for digit, weight in zip(number, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), strict=True))
    return number + str((base - total % 11) % 10)


def resident(rng: random.Random) -> str:
    day = birth(rng)
    front = day.strftime("%y%m%d") + str(rng.randint(1, 2) + 2 * (day.year >= 2000))
    number = with_check(front + f"{rng.randint(0, 95):02d}" + digits(3, rng), 11)
    return number[:6] + rng.choice(("-", "-", "", " ", " - ", "–")) + number[6:]


def resident_since_2020(rng: random.Random) -> str:
    """Numbers given since October 2020 are random behind the sex digit."""
    return f"{birth(rng, 2021, 2025):%y%m%d}-{rng.randint(3, 4)}{digits(6, rng)}"


def foreigner(rng: random.Random) -> str:
    day = birth(rng, 1955)
    front = day.strftime("%y%m%d") + str(rng.randint(5, 6) + 2 * (day.year >= 2000))
    number = with_check(front + f"{rng.randrange(0, 96, 2):04d}" + str(rng.randint(6, 9)), 13)
    return number[:6] + rng.choice(("-", "-", "")) + number[6:]


def card(rng: random.Random) -> str:
    front = rng.choice(("4518", "4579", "5409", "5365", "9410", "9445", "6243", "3560")) + digits(11, rng)
    doubled = (int(digit) * (2 - number % 2) for number, digit in enumerate(front))
    number = front + str(-sum(value // 10 + value % 10 for value in doubled) % 10)
    return rng.choice(("-", "-", " ", "")).join(number[at : at + 4] for at in range(0, 16, 4))


def account(rng: random.Random) -> str:
    patterns = [
        "국민은행 ######-0#-######", "신한 110-###-######", "카카오뱅크 3333-##-#######", "농협 302-####-####-#1",
        "우리은행 1002-###-######", "토스뱅크 1000-####-####", "기업은행 ###-######-01-0##", "하나 ###-910###-#####",
        "새마을금고 9002-####-####-#", "국민 ##############", "케이뱅크 100-1##-######",
    ]  # fmt: skip
    return fill(rng.choice(patterns), rng)


def passport(rng: random.Random) -> str:
    return fill(rng.choice(("M########", "M###A####", "M###B####", "S########", "PM#######")), rng)


def licence(rng: random.Random) -> str:
    region = rng.choice((*map(str, range(11, 29)), "서울", "경기", "부산"))
    return fill(f"{region}-{rng.randint(70, 99)}-######-##", rng)


# -- ways to reach people ---------------------------------------------------------------------------
def mobile(rng: random.Random) -> str:
    pattern = rng.choice(
        ("010-%###-####", "010-%###-####", "010%#######", "010 %### ####", "010.%###.####", "010)%###-####")
    )
    return fill(pattern, rng)


def mobile_abroad(rng: random.Random) -> str:
    return fill(rng.choice(("+82 10-%###-####", "+82-10-%###-####", "+8210%#######", "(+82) 10 %### ####")), rng)


def mobile_spoken(rng: random.Random) -> str:
    numbers = "".join(SPOKEN[int(digit)] for digit in digits(8, rng))
    glue = rng.choice(("-", " ", "에 ", ""))
    return rng.choice(("공일공", "공1공", "영일영")) + glue + numbers[:4] + glue + numbers[4:]


def home_phone(rng: random.Random) -> str:
    area = rng.choice(("02", "031", "032", "051", "053", "062", "042", "064"))
    return fill(rng.choice((f"{area}-%##-####", f"{area}-%###-####", f"({area}) %##-####", f"{area})%##-####")), rng)


def email(rng: random.Random) -> str:
    user = rng.choice(("minsu", "jh.kim", "sunny", "dream", "hongsi", "yejin_p", "lee.sh"))
    user += digits(rng.randint(2, 4), rng)
    sites = ("naver.com", "gmail.com", "hanmail.net", "daum.net", "nate.com", "kakao.com", "outlook.kr")
    return f"{user}@{rng.choice(sites)}"


def email_disguised(rng: random.Random) -> str:
    user, _, site = email(rng).partition("@")
    name = site.partition(".")[0]
    return rng.choice(
        (f"{user} (at) {site}", f"{user} 골뱅이 {name} 닷컴", f"{user}[at]{name}[dot]com", f"{user} @ {site}")
    )


def address(rng: random.Random) -> str:
    streets = [
        "서울특별시 마포구 월드컵로%길 %1", "서울 강남구 역삼동 %##-1#", "경기도 성남시 분당구 정자일로 1#5",
        "부산광역시 해운대구 좌동순환로 4#", "대구 수성구 범어동 2##번지", "인천시 연수구 송도동 1#",
        "전북 전주시 완산구 서신동 8##",
    ]  # fmt: skip
    flats = [
        " 10%동 1#0%호", ", 10%동 1#0%호", " 행복빌라 20%호", " 한빛아파트 10%동 50%호", " (한솔마을) 30%동 %0%호", "",
    ]  # fmt: skip
    return fill(rng.choice(streets) + rng.choice(flats), rng)


def name(rng: random.Random) -> str:
    family = ["김", "이", "박", "최", "정", "강", "조", "윤", "임", "한", "오", "남궁", "황"]
    given = [
        "민수", "서연", "지훈", "예진", "현우", "수빈", "도윤", "하은", "영호", "미경", "정숙", "태경", "다인", "솔",
    ]  # fmt: skip
    return rng.choice(family) + rng.choice(given)


# -- sentences --------------------------------------------------------------------------------------
BANMAL = """그건 너무 걱정하지 마. 나도 예전에 그런 적 있어.|근데 솔직히 그건 좀 아닌 것 같아.
야, 그런 건 그냥 넘어가도 돼.|너도 한번 해 봐, 생각보다 쉬워.|그렇게 하면 안 되는 거 알지?|내가 아까도 말했잖아.
아무튼 나는 네 편이야.|그거 진짜 맛있더라.|어차피 다 지나갈 일이니까 힘내.|오늘은 푹 쉬고 내일 다시 얘기하자."""
WRITTEN = """이는 사람마다 차이가 있다.|따라서 충분한 준비가 필요하다.|그러나 모든 경우에 그런 것은 아니다.
이 문제는 오래전부터 논의되어 왔다.|결국 가장 중요한 것은 꾸준함이다.|전문가들은 이를 긍정적으로 평가했다.
자세한 내용은 아래에서 다룬다.|그는 끝내 아무 말도 하지 않았다."""
COMMANDS = """이 점을 꼭 명심해라.|다음 물음에 답하시오. 틀린 것을 골라라.|절대 포기하지 마라.
먼저 네 자신을 돌아보아라.|자, 이제 함께 떠나 보자.|너는 왜 그렇게 생각하느냐?|그게 말이 되냐?|밥은 먹고 다니니?
그렇게 살면 좋겠니?"""
ELDER = """자네도 한번 해 보게.|그건 내가 알아서 하겠네.|이리 와서 앉게나.|그게 다 자네를 위해서라네.
여보게, 너무 서두르지 말게.|그렇소, 당신 말이 맞소.|나는 그렇게 생각하지 않소.|어서 이리 오시구려."""
HAEYO = """너무 걱정하지 마세요.|궁금한 게 있으면 언제든 물어봐 주세요.|저도 그렇게 생각해요.|조금만 더 힘내 봐요.
그럴 수도 있겠네요.|이 부분은 한 번 더 확인해 보시는 게 좋아요.|정말 잘하셨어요!|혹시 다른 방법도 알아보셨나요?
그게 더 낫지 않을까요?|사실은 제가 먼저 말했거든요."""
HAPSYO = """자세한 내용은 고객센터로 문의해 주시기 바랍니다.|이상으로 안내를 마치겠습니다.
도움이 되셨으면 좋겠습니다.|이 경우에는 다음과 같이 진행하시면 됩니다.|감사합니다.
추가로 필요하신 정보가 있으십니까?|함께 확인해 보겠습니다.|여러분의 의견을 기다립니다.|먼저 사과의 말씀을 드립니다."""
FOREIGN = {
    "Japanese": """ありがとうございます|です|ください|について|、しかし|こんにちは|データ|サービス|カタカナ
お願いします|の|場合は|ご参考になれば幸いです。|これは大切なことです。|頑張ってください!""",
    "Chinese": """非常|这个问题|需要注意|以上内容仅供参考。|因此|首先|对于|可以|建议您|其他方法|的时候
您好，请问有什么可以帮您？|總之，這樣比較好。|没有问题|时间""",
    "Cyrillic": """это|важно|например|поэтому|Спасибо за вопрос.|хорошо|очень|время|можно""",
    "other scripts": """ครับ|สวัสดี|شكرا|مهم|उदाहरण|नमस्ते|תודה|გამარჯობა|Շնորհակալություն|ὅμως|δηλαδή|ধন্যবাদ
நன்றி|ကျေးဇူး|የሆነ""",
}


def listed(block: str) -> list[str]:
    return [line for line in block.replace("\n", "|").split("|") if line]
